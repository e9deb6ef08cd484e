//! `--only` and `--skip`: which programs of a node get its false clock. The others read true time, and nothing is in them of the shim
//! but its names.

use std::os::unix::fs::PermissionsExt;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Done, Lab, Probe, Reading, spec, state_of};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("choice: {sentence}")).needs("perl", "perl");
    vec![
        of("with --only these programs have the false clock, and no others, whoever starts them")
            .shown_by(only),
        of("with --skip all but these have it").shown_by(skip),
        of("a program is named by its file, by a link or script that was executed, and by a path")
            .shown_by(names),
        of("nothing of the node is in a program that is left out").shown_by(nothing_inside),
        of("status lists who is left out with the reason, --wait does not ask them, and a freeze holds them")
            .shown_by(listed),
        of("a program that is left out becomes one that is not by exec").shown_by(executes_another),
        of("a static program that is left out runs, and reads true time")
            .needs("cc", "gcc")
            .shown_by(static_program),
        of("programs that are reached at their exec are chosen in the same way, and --strict-tree lets others be")
            .needs("cc", "gcc")
            .shown_by(reached_at_exec),
        of("a node keeps the choice that it was made with, and another one is refused there")
            .shown_by(joined),
        of("what names no program is refused, and so are both flags at once").shown_by(refused),
        of("a choice that is corrupt is told, by the first process too, and the node can be removed")
            .shown_by(corrupt),
    ]
}

/// What each program of a script that prints `NAME SECONDS` lines saw: skewed by -1h, or true.
#[track_caller]
fn skewed(done: &Done, lines: &str) -> Vec<(String, bool)> {
    let now = std::time::UNIX_EPOCH.elapsed().expect("a time after 1970").as_secs();
    let now = i64::try_from(now).expect("a time");
    let parse = |line: &str| {
        let (name, seconds) = line.split_once(' ').expect("a name and a time");
        let skew = seconds.parse::<i64>().expect("seconds") - now;
        assert!(skew.abs() < 60 || (skew + 3600).abs() < 60, "{name} is off by {skew} s\n{}", done.report());
        (name.to_owned(), skew.abs() > 60)
    };
    lines.trim().lines().map(parse).collect()
}

/// By a shell that reads no clock itself: date, perl, and date once more from a shell below.
const SCRIPT: &str =
    "date '+date %s'; perl -e 'print qq(perl ), time, qq(\\n)'; sh -c \"date '+below %s'; :\"";

fn only(lab: &Lab) {
    let done = lab.run("a", &["--jump", "-1h", "--only", "date"], ["sh", "-c", SCRIPT]).done().expect_code(0);
    let seen = [("date", true), ("perl", false), ("below", true)].map(|(name, is)| (name.to_owned(), is));
    assert_eq!(skewed(&done, &done.stdout), seen);
    let flags = ["--jump", "-1h", "--only", "date", "--only", "perl"];
    let done = lab.run("a", &flags, ["sh", "-c", SCRIPT]).done().expect_code(0);
    assert!(skewed(&done, &done.stdout).iter().all(|(_, is)| *is), "{}", done.report());
}

fn skip(lab: &Lab) {
    let done = lab.run("a", &["--jump", "-1h", "--skip", "date"], ["sh", "-c", SCRIPT]).done().expect_code(0);
    let seen = [("date", false), ("perl", true), ("below", false)].map(|(name, is)| (name.to_owned(), is));
    assert_eq!(skewed(&done, &done.stdout), seen);
}

fn names(lab: &Lab) {
    let script = lab.path("a-script");
    std::fs::write(&script, "#!/usr/bin/perl\nprint 'it ', time, qq(\\n)").expect("it can be written");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("its mode can be set");
    let link = lab.path("a-link");
    std::os::unix::fs::symlink("/usr/bin/perl", &link).expect("a link can be made");
    let (script, link) = (script.display().to_string(), link.display().to_string());
    let prints = "print 'it ', time, qq(\\n)";
    for (name, command, is_named) in [
        ("perl", vec!["/usr/bin/perl", "-e", prints], true),
        ("/usr/bin/perl", vec!["perl", "-e", prints], true),
        ("/opt/perl", vec!["perl", "-e", prints], false),
        ("per", vec!["perl", "-e", prints], false),
        ("a-script", vec![&script], true),
        (&script, vec![&script], true),
        ("perl", vec![&script], true),
        ("a-link", vec![&script], false),
        ("a-link", vec![&link, "-e", prints], true),
        ("perl", vec![&link, "-e", prints], true),
        (&link, vec![&link, "-e", prints], true),
    ] {
        for (flag, is_chosen) in [("--only", is_named), ("--skip", !is_named)] {
            let done = lab.run("a", &["--jump", "-1h", flag, name], &command).done().expect_code(0);
            assert_eq!(skewed(&done, &done.stdout), [("it".to_owned(), is_chosen)], "{}", done.report());
        }
    }
}

fn nothing_inside(lab: &Lab) {
    let of_node = format!("{}/a/", lab.nodes().display());
    let mapped = |flag: &str| {
        let flags = ["--jump", "-1h", flag, "perl"];
        // Its mappings of the node's, and where its vDSO was overwritten: with a jump.
        let script = "open M, '/proc/self/maps'; @m = <M>; print grep { /$ARGV[0]/ } @m; \
                      print grep { /falseticker/ && !/$ARGV[0]/ } @m";
        lab.run("a", &flags, ["perl", "-e", script, of_node.trim_end_matches('/')]).done().expect_code(0)
    };
    let inside = mapped("--only");
    assert!(
        inside.text().contains("/a/page") && inside.text().contains("/a/evidence"),
        "{}",
        inside.report()
    );
    let outside = mapped("--skip");
    assert!(outside.text().lines().all(|line| line.ends_with("/a/falseticker.so")), "{}", outside.report());
    assert!(!outside.text().is_empty(), "it was preloaded, as far as the loader knows: {}", outside.report());
}

/// The processes in a part of `status`, by the beginning of their commands.
fn of_command<'a>(status: &'a Value, part: &str, begins: &str) -> Vec<&'a Value> {
    let is_it = |process: &&Value| process["command"].as_str().is_some_and(|line| line.starts_with(begins));
    status[part].as_array().into_iter().flatten().filter(is_it).collect()
}

fn listed(lab: &Lab) {
    let ticker = "perl -e '$|=1; print qq(up\\n); while (1) { time; select undef, undef, undef, 0.001 }' & \
                  echo $!; read line; kill $!; wait";
    let mut live = lab.run("a", &["--skip", "sh"], ["sh", "-c", ticker]).live();
    live.line_where(|line| line == "up");
    let status = lab.status("a");
    assert_eq!(status["skip"][0], "sh", "{status}");
    assert_eq!(of_command(&status, "processes", "perl").len(), 1, "{status}");
    let [shell] = of_command(&status, "not_reached", "sh")[..] else { panic!("{status}") };
    assert_eq!(
        (&shell["chosen"], &shell["why"]),
        (&false.into(), &"left out by --skip sh".into()),
        "{status}"
    );
    let said = lab.falseticker(["jump", "a", "-1h", "--wait", "10s", "--json"]).expect_code(0).json();
    assert_eq!(said["evidence"].as_array().map(Vec::len), Some(1), "{said}");
    let pid = shell["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("a pid");
    lab.falseticker(["freeze", "a"]).expect_code(0);
    assert_eq!(state_of(pid), Some('T'));
    lab.falseticker(["thaw", "a"]).expect_code(0);
    lab.falseticker(["attach", "--pid", &pid.to_string(), "--node", "b"])
        .expect_code(3)
        .expect_error("in a node already");
    live.say("");
    live.finish();
}

fn executes_another(lab: &Lab) {
    let report = |script: &str| {
        let file = lab.path("report.json");
        let flags = ["--jump", "-1h", "--only", "date", "--report", file.to_str().expect("a path")];
        let done = lab.run("a", &flags, ["sh", "-c", script]).done().expect_code(0);
        let text = std::fs::read_to_string(&file).expect("there is a report");
        let report: Value = serde_json::from_str(&text).expect("it is JSON");
        (done, report)
    };
    let (done, told) = report("exec date '+date %s'");
    assert_eq!(
        (skewed(&done, &done.stdout), &told["reach"]),
        (vec![("date".to_owned(), true)], &"by exec".into())
    );
    let (_, told) = report("exec true");
    assert_eq!(told["reach"], "left out");
    // The other way round: what was reached is not any more.
    let script = "exec perl -e 'print qq(perl ), time, qq(\\n)'";
    let done = lab.run("a", &["--jump", "-1h", "--skip", "perl"], ["sh", "-c", script]).done().expect_code(0);
    assert_eq!(skewed(&done, &done.stdout), [("perl".to_owned(), false)]);
}

fn static_program(lab: &Lab) {
    let program = lab.target("probe").flags(["-static"]).path();
    let probe = Probe::new(lab.run("a", &["--jump", "-1h", "--only", "date"], [program]).live());
    probe.first.expect_skew(0);
    let status = lab.status("a");
    let [process] = of_command(&status, "not_reached", "/")[..] else { panic!("{status}") };
    assert_eq!(process["why"], "left out by --only date");
    assert_eq!(probe.quit(), 0);
}

fn reached_at_exec(lab: &Lab) {
    let of_static = lab.target("probe").flags(["-static"]).path();
    let name = of_static.file_name().and_then(|name| name.to_str()).expect("a plain name");
    let script = format!("echo quit | {}; {SCRIPT}", of_static.display());
    for (flags, probe_is, date_is) in [
        (["--only", name, "--reach", "auto"], true, false),
        (["--skip", name, "--reach", "auto"], false, true),
        (["--only", "date", "--reach", "vdso"], false, true),
        (["--skip", "date", "--reach", "vdso"], true, false),
    ] {
        let flags = ["--jump", "-1h", "--strict-tree"].into_iter().chain(flags).collect::<Vec<_>>();
        let done = lab.run("a", &flags, ["sh", "-c", &script]).done().expect_code(0);
        let (first, rest) = done.text().split_once('\n').expect("the probe and others");
        let first = Reading::parse(first).expect("a reading");
        first.expect_skew(if probe_is { -3_600_000_000_000 } else { 0 });
        assert_eq!(skewed(&done, rest)[0], ("date".to_owned(), date_is), "{}", done.report());
    }
}

fn joined(lab: &Lab) {
    lab.falseticker(["create", "a", "--only", "date", "--json"]).expect_code(0);
    lab.falseticker(["jump", "a", "-1h"]).expect_code(0);
    for flags in [&[][..], &["--only", "date"]] {
        let done = lab.run("a", flags, ["sh", "-c", SCRIPT]).done().expect_code(0);
        let seen = [("date", true), ("perl", false), ("below", true)].map(|(name, is)| (name.to_owned(), is));
        assert_eq!(skewed(&done, &done.stdout), seen);
    }
    for (flags, made) in [(["--only", "perl"], "--only date"), (["--skip", "date"], "--only date")] {
        lab.run("a", &flags, ["date"]).done().expect_code(125).expect_error(made);
    }
    lab.falseticker(["create", "b"]).expect_code(0);
    lab.run("b", &["--skip", "sh"], ["date"]).done().expect_code(125).expect_error("without a choice");
    for node in ["a", "b"] {
        lab.falseticker(["remove", node]).expect_code(0);
    }
}

fn refused(lab: &Lab) {
    for name in ["", "/", "bin/"] {
        lab.falseticker(["create", "a", "--only", name]).expect_code(2).expect_error("names no file");
        lab.run("a", &["--skip", name], ["date"]).done().expect_code(125).expect_error("names no file");
    }
    let long = "x".repeat(5000);
    lab.falseticker(["create", "a", "--only", &long]).expect_code(2).expect_error("4096 bytes");
    lab.falseticker(["create", "a", "--only", "a", "--skip", "b"]).expect_code(2).expect_error("--skip");
    lab.run("a", &["--only", "a", "--skip", "b"], ["date"]).done().expect_code(125).expect_error("--skip");
}

fn corrupt(lab: &Lab) {
    let mut live = lab.run("a", &["--only", "perl"], ["perl", "-e", "$|=1; print qq(up\\n); <STDIN>"]).live();
    live.line();
    std::fs::write(lab.nodes().join("a/choice"), "falseticker choice 9: all\n").expect("it can be written");
    lab.run("a", &[], ["date"]).done().expect_code(125).expect_error("choice");
    // The shim itself, in a process that says it is the first: as `run` makes it.
    let shim = lab.nodes().join("a/falseticker.so");
    let script = format!("export FALSETICKER_ROOT=$$ LD_PRELOAD={}; exec date", shim.display());
    lab.command("sh", ["-c", &script])
        .done()
        .expect_code(125)
        .expect_error("choice among programs is corrupt");
    // Any other process goes on, as without the shim.
    lab.command("date", ["+%s"]).env("LD_PRELOAD", &shim).done().expect_code(0);
    let status = lab.falseticker(["status", "--json"]).json();
    assert_eq!(status["damaged"].as_array().map(Vec::len), Some(1), "{status}");
    lab.falseticker(["remove", "a"]).expect_code(0);
    live.finish();
}
