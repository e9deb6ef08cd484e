//! What a scenario does, and what its history says of it.

use libtest_mimic::Trial;
use serde_json::json;

use super::{Scene, has_step, int, steps};
use crate::harness::{Lab, MILLISECOND, SECOND, free_ports, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("a scenario's clock faults take effect at their nanosecond, and so do their ends and the heal")
            .shown_by(exact),
        spec("pauses, kills and restarts of a scenario are told with their measured instants").shown_by(pauses),
        spec("a fault of a scenario can wait for a line, a file, a command or a connection").shown_by(triggers),
        spec("an operation's instant is its program's own reading, mapped through the page, or bounded")
            .shown_by(operations),
        spec("play exits 1 when a fault never arrived, unless it is optional, and says unknown of one within a pause")
            .shown_by(verdicts),
        spec("a program that ends unexpectedly violates a scenario, and one that is to end does not").shown_by(exits),
        spec("what a scenario's commands have done is undone, the last one first").shown_by(commands),
        spec("a node can be named by a command, and a trap can be armed in a scenario").shown_by(named),
        spec("leap inserts, deletes and smears a second").shown_by(leap),
    ]
}

/// A program that reads its clock all the time, and ends when it is told to.
const READS: &str = "command = [\"bash\", \"-c\", \"echo up; exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.02 -u 9; done\"]";

fn exact(lab: &Lab) {
    let (target, seen) = (lab.target("moments").path(), lab.path("seen"));
    let scene = Scene::new(
        lab,
        "exact",
        &format!(
            "[scenario]\nname = \"exact\"\nduration = \"2s\"\nrecovery = \"300ms\"\n\
             [nodes.a]\ncommand = [{target:?}, {seen:?}]\nready = {{ output = \"watching\" }}\n\
             [[timeline]]\nat = \"400ms\"\nnode = \"a\"\njump = {{ by = \"-5s\", for = \"400ms\" }}\n\
             [[timeline]]\nat = \"1s\"\nnode = \"a\"\njump = \"1h\"\n"
        ),
    );
    scene.play(&[]).expect_code(0);
    let steps = steps(&seen);
    let planned = scene.of("planned");
    let due = |index: usize| int(&planned[index], "due_ns");
    let heal = int(&scene.of("start")[0], "heal_ns");
    for (at, by) in [
        (due(0), -5 * SECOND),
        (due(0) + 400 * MILLISECOND, 5 * SECOND),
        (due(1), 3_600 * SECOND),
        (heal, -3_600 * SECOND),
    ] {
        assert!(has_step(&steps, at, by), "no step by {by} at {at}: {steps:?}");
    }
    assert!(steps.last().is_some_and(|step| step.off.abs() < 40 * MILLISECOND), "{steps:?}");
    // And what the history says is the same: applied exactly as planned, and read.
    let applied = scene.of("applied");
    let instants: Vec<i64> = applied.iter().map(|line| int(line, "at_ns")).collect();
    assert_eq!(instants, [due(0), due(0) + 400 * MILLISECOND, due(1), heal]);
    assert!(applied.iter().all(|line| line["late_by_ns"] == 0), "{applied:?}");
    assert_eq!(scene.of("evidence").len(), 4, "of each");
    let offs: Vec<i64> = scene.of("sample").iter().map(|line| int(line, "wall_off_ns")).collect();
    assert!(
        offs.contains(&0) && offs.contains(&(-5 * SECOND)) && offs.contains(&(3_600 * SECOND)),
        "{offs:?}"
    );
}

fn pauses(lab: &Lab) {
    let scene = Scene::new(
        lab,
        "pauses",
        &format!(
            "[scenario]\nname = \"pauses\"\nduration = \"2500ms\"\n[nodes.a]\n{READS}\n[nodes.b]\nmonotonic = true\n{READS}\n\
             [[timeline]]\nat = \"200ms\"\nnode = [\"a\", \"b\"]\nfreeze = \"400ms\"\n\
             [[timeline]]\nat = \"1s\"\nnode = \"b\"\nsuspend = \"300ms\"\n\
             [[timeline]]\nat = \"1s\"\nnode = \"a\"\nkill = {{ restart = \"200ms\" }}\n\
             [[timeline]]\nat = \"2s\"\nnode = \"a\"\nfreeze = {{ for = \"20ms\", every = \"30ms\", count = 3 }}\n"
        ),
    );
    scene.play(&[]).expect_code(0);
    let (frozen, resumed) = (scene.of("frozen"), scene.of("resumed"));
    assert_eq!((frozen.len(), resumed.len()), (6, 6));
    for pause in &frozen[..2] {
        let resumed = resumed.iter().find(|line| line["id"] == pause["id"]).expect("it was resumed");
        let (confirmed, until) = (int(pause, "confirmed_ns"), int(resumed, "first_resumed_ns"));
        assert!(until - confirmed >= 400 * MILLISECOND, "{pause} {resumed}");
        let planned =
            scene.of("planned").into_iter().find(|line| line["id"] == pause["id"]).expect("it was planned");
        let late = int(pause, "late_by_ns");
        assert!(late >= 0 && int(pause, "first_stop_ns") == int(&planned, "due_ns") + late, "{pause}");
        assert!(!pause["processes"].as_array().expect("a list").is_empty());
    }
    let killed = scene.of("killed");
    let exited = scene.of("exited");
    let of_a: Vec<_> = exited.iter().filter(|line| line["node"] == "a").collect();
    assert!(killed[0]["pids"].as_array().expect("a list").contains(&of_a[0]["pid"]), "{killed:?} {of_a:?}");
    assert_eq!((&of_a[0]["signal"], &of_a[0]["expected"]), (&json!(9), &json!(true)));
    let started = scene.of("started").iter().filter(|line| line["node"] == "a").count();
    assert_eq!(started, 2);
}

fn triggers(lab: &Lab) {
    let (file, port) = (lab.path("leader"), free_ports::<1>()[0]);
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let script = format!(
        "exec 9<> <(:); read_on() {{ for n in $(seq $1); do : $EPOCHSECONDS; read -t 0.02 -u 9; done; }}; echo up; read_on 40; \
         echo became leader; read_on 20; : > {}; read_on 40; exec 3<>/dev/tcp/127.0.0.1/{port}; read_on 10000",
        file.display()
    );
    let entry = |after: &str, optional: &str| {
        format!("[[timeline]]\nafter = {{ {after} }}\nnode = \"a\"\njump = \"1s\"\n{optional}")
    };
    let file = file.display();
    let entries = [
        entry("output = \"became leader\", delay = \"50ms\"", ""),
        entry(&format!("file = \"{file}\""), ""),
        // By its path from the scenario's file on.
        entry("command = \"test -e leader\", poll = \"20ms\", delay = \"300ms\"", ""),
        entry(&format!("connect = {port}, node = \"a\""), ""),
        entry("output = \"never\"", "optional = true\n"),
    ];
    let scene = Scene::new(
        lab,
        "triggers",
        &format!(
            "[scenario]\nname = \"triggers\"\nduration = \"5s\"\n[nodes.a]\ncommand = [\"bash\", \"-c\", \"\"\"{script}\"\"\"]\n\
             ready = {{ output = \"up\" }}\n{}",
            entries.concat()
        ),
    );
    scene.play(&[]).expect_code(0);
    drop(listener);
    let mut kinds: Vec<String> =
        scene.of("fired").iter().map(|line| line["kind"].as_str().unwrap_or_default().to_owned()).collect();
    kinds.sort();
    assert_eq!(kinds, ["command", "connect", "file", "output"]);
    let fired = scene.of("fired").into_iter().find(|line| line["kind"] == "output").expect("it has fired");
    let applied =
        scene.of("applied").into_iter().find(|line| line["id"] == fired["id"]).expect("it was applied");
    assert!(int(&applied, "at_ns") - int(&fired, "at_ns") >= 50 * MILLISECOND, "{fired} {applied}");
}

fn operations(lab: &Lab) {
    let script = "echo up; while :; do read -r up rest < /proc/uptime; echo '{\"op\": \"read\", \"value\": 1}'; sleep 0.05; done";
    let python = "import time, json\nprint('up', flush=True)\nwhile True:\n m = time.clock_gettime_ns(time.CLOCK_MONOTONIC)\n \
                  print(json.dumps({'op': 'tick', 'phase': 'invoke', 'process': 1, 'mono_ns': m}), flush=True)\n time.sleep(0.05)";
    let scene = Scene::new(
        lab,
        "operations",
        &format!(
            "[scenario]\nname = \"operations\"\nduration = \"2s\"\n\
             [nodes.a]\ncommand = [\"bash\", \"-c\", \"\"\"{script}\"\"\"]\n\
             [nodes.b]\nmonotonic = true\ncommand = [\"python3\", \"-c\", \"\"\"{python}\"\"\"]\nready = {{ output = \"up\" }}\n\
             [[timeline]]\nat = \"500ms\"\nnode = \"b\"\ndrift = {{ rate = \"3x\", clock = \"all\" }}\n"
        ),
    );
    scene.play(&[]).expect_code(0);
    let ops = scene.of("op");
    let of = |node: &str| ops.iter().filter(|line| line["node"] == node).cloned().collect::<Vec<_>>();
    for op in of("a") {
        assert_eq!((&op["op"], &op["phase"], &op["by"]), (&json!("read"), &json!("ok"), &json!("bounds")));
        assert!(
            int(&op, "from_ns") < int(&op, "until_ns") && int(&op, "until_ns") <= int(&op, "at_ns"),
            "{op}"
        );
    }
    let start = int(&scene.of("start")[0], "at_ns");
    let ticks = of("b");
    assert!(ticks.len() > 20, "{}", ticks.len());
    for tick in &ticks {
        assert_eq!(
            (&tick["by"], &tick["phase"], &tick["process"]),
            (&json!("mono"), &json!("invoke"), &json!(1))
        );
        // True time, though its own clock is seconds ahead by then.
        assert!(
            int(tick, "from_ns") <= int(tick, "at_ns")
                && int(tick, "until_ns") - int(tick, "from_ns") < 1_000,
            "{tick}"
        );
    }
    let late = ticks.iter().filter(|tick| int(tick, "at_ns") > start + 1_500 * MILLISECOND);
    // A pause of 50 ms by a clock three times as fast is 17 ms.
    assert!(late.count() > 15, "{ticks:?}");
}

fn verdicts(lab: &Lab) {
    let scenario = |name: &str, more: &str| {
        let text = format!(
            "[scenario]\nname = \"{name}\"\nduration = \"1500ms\"\nrecovery = \"100ms\"\n\
             [nodes.a]\ncommand = [\"sleep\", \"1000\"]\n[nodes.b]\n{READS}\n\
             [[timeline]]\nat = \"300ms\"\nnode = \"b\"\nfreeze = \"900ms\"\n{more}"
        );
        Scene::new(lab, name, &text)
    };
    let never = "[[timeline]]\nat = \"200ms\"\nnode = \"a\"\njump = \"1s\"\n";
    let scene = scenario("missed", never);
    let done = scene.play(&["--quiet"]).expect_code(1);
    assert!(
        done.text().contains("arrived: violated\n  1: node a, jump +1s: nobody has read"),
        "{}",
        done.text()
    );
    scenario("optional", &format!("{never}optional = true\n")).play(&[]).expect_code(0);
    let within = "[[timeline]]\nat = \"600ms\"\nnode = \"b\"\njump = { by = \"1s\", for = \"200ms\" }\n";
    let done = scenario("within", within).play(&["--json"]).expect_code(0).json();
    assert_eq!(done["checks"][0]["verdict"], "unknown", "{done}");
    assert!(
        done["checks"][0]["why"][0].as_str().is_some_and(|why| why.contains("lies within a pause")),
        "{done}"
    );
}

fn exits(lab: &Lab) {
    let scenario = |name: &str, flags: &str, code: u8| {
        let text = format!(
            "[scenario]\nname = \"{name}\"\nduration = \"1500ms\"\nrecovery = \"100ms\"\n\
             [nodes.a]\ncommand = [\"bash\", \"-c\", \"echo up; sleep 0.7; echo oh no >&2; exit {code}\"]\n\
             ready = {{ output = \"up\" }}\n{flags}"
        );
        Scene::new(lab, name, &text)
    };
    let done = scenario("unexpected", "", 3).play(&["--quiet"]).expect_code(1);
    assert!(
        done.text().contains("node a: its program ended unexpectedly: exit code 3; it said: up | oh no"),
        "{}",
        done.text()
    );
    scenario("done", "ends = true\n", 0).play(&[]).expect_code(0);
    scenario("failed", "ends = true\n", 1).play(&[]).expect_code(1);
    let scene = scenario("again", "restart = \"always\"\n", 3);
    scene.play(&[]).expect_code(0);
    let text =
        "[scenario]\nname = \"endless\"\nduration = \"300ms\"\n[nodes.a]\nends = true\n".to_owned() + READS;
    let done = Scene::new(lab, "endless", &text).play(&["--quiet"]).expect_code(1);
    assert!(done.text().contains("was to end by itself, and has not"), "{}", done.text());
}

fn commands(lab: &Lab) {
    let trace = lab.path("trace");
    let entry = |at: &str, name: &str| {
        let trace = trace.display();
        format!(
            "[[timeline]]\nat = \"{at}\"\nrun = \"echo {name} >> {trace}\"\nundo = \"echo undo {name} >> {trace}\"\n"
        )
    };
    let text = format!(
        "[scenario]\nname = \"commands\"\nduration = \"800ms\"\n[nodes.a]\n{READS}\n{}{}",
        entry("100ms", "one"),
        entry("300ms", "two")
    );
    Scene::new(lab, "commands", &text).play(&[]).expect_code(0);
    let done = std::fs::read_to_string(&trace).expect("they were given");
    assert_eq!(done.lines().collect::<Vec<_>>(), ["one", "two", "undo two", "undo one"]);
    let failing = format!(
        "[scenario]\nname = \"failing\"\nduration = \"500ms\"\n[nodes.a]\n{READS}\n[[timeline]]\nat = \"100ms\"\nrun = \"exit 7\"\n"
    );
    let done = Scene::new(lab, "failing", &failing).play(&["--quiet"]).expect_code(1);
    assert!(done.text().contains("exit code 7"), "{}", done.text());
}

fn named(lab: &Lab) {
    let text = format!(
        "[scenario]\nname = \"named\"\nduration = \"2s\"\n[nodes.a]\n{READS}\n\
         [nodes.b]\n{READS}\nready = {{ command = \"test -e named.toml\" }}\n\
         [[timeline]]\nat = \"200ms\"\nnode = {{ command = \"echo b\" }}\njump = \"1s\"\n\
         [[timeline]]\nat = \"500ms\"\nnode = \"a\"\nfreeze = {{ on-read = \"wall\", for = \"100ms\" }}\n\
         [[timeline]]\nat = \"1s\"\nnode = {{ command = \"echo nobody\" }}\njump = \"1s\"\noptional = true\n"
    );
    let scene = Scene::new(lab, "named", &text);
    scene.play(&[]).expect_code(0);
    let applied = scene.of("applied");
    assert!(applied.iter().any(|line| line["node"] == "b" && line["what"] == "jump +1s"), "{applied:?}");
    assert_eq!(scene.of("held").len(), 1);
    let failed = scene.of("failed");
    assert!(failed[0]["why"].as_str().is_some_and(|why| why.contains("there is no such node")), "{failed:?}");
}

fn leap(lab: &Lab) {
    lab.falseticker(["create", "a", "--monotonic"]).expect_code(0);
    let off = || lab.status("a")["clocks"]["wall"]["offset_ns"].as_i64().expect("an offset");
    lab.falseticker(["leap", "a", "insert"]).expect_code(0);
    assert!((off() + SECOND).abs() < MILLISECOND, "{}", off());
    lab.falseticker(["leap", "a", "delete"]).expect_code(0);
    assert!(off().abs() < MILLISECOND, "{}", off());
    let smear = lab.falseticker(["leap", "a", "smear", "--window", "10s", "--json"]).expect_code(0).json();
    assert!((int(&smear, "until_ns") - int(&smear, "at_ns") - 10 * SECOND).abs() < MILLISECOND, "{smear}");
    lab.falseticker(["leap", "a", "insert", "--window", "10s"])
        .expect_code(2)
        .expect_error("only a smear has a window");
    lab.falseticker(["remove", "a"]).expect_code(0);
}
