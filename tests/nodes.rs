//! Where nodes live, how they end, and that nothing of them is left.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::harness::{Lab, binary, count_of, eventually, spec};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("nodes: {sentence}"));
    vec![
        of("a node made by run goes with its last process").needs("cc", "gcc").shown_by(goes_with_the_last),
        of("a node made by create stays until remove").needs("cc", "gcc").shown_by(stays),
        of("names are unique, and an unknown one is refused with where it was looked for").shown_by(names),
        of("files are the user's alone, and everybody's to read only under --share").shown_by(modes),
        of("what killed commands left behind is swept by the next one").needs("cc", "gcc").shown_by(swept),
        of("run killed at any moment leaves nothing once the next command has run").shown_by(killed_anywhere),
        of("env prints what puts a program into the node").shown_by(env),
        of("env --export prints what a shell evaluates").shown_by(export),
        of("remove heals whoever still runs").needs("cc", "gcc").shown_by(remove_heals),
        of("a directory that cannot hold nodes is refused with the remedy").shown_by(directories),
        of("without FALSETICKER_DIR nodes live in XDG_RUNTIME_DIR, which is left as it was")
            .shown_by(runtime_dir),
        of("status lists all nodes, or the one that is named").shown_by(status),
        of("two creates at once: one makes it, the other is refused").shown_by(race),
    ]
}

fn goes_with_the_last(lab: &Lab) {
    let probe = lab.probe("a", &[], &lab.target("probe"));
    assert_eq!(lab.left_in_nodes(), ["a"]);
    assert_eq!(lab.status("a")["made_by"], "run");
    probe.quit();
    assert_eq!(lab.left_in_nodes(), Vec::<String>::new());
    lab.run("a", &["--jump", "-1h"], ["true"]).done().expect_code(0);
    assert_eq!(lab.left_in_nodes(), Vec::<String>::new());
}

fn stays(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    lab.falseticker(["jump", "a", "-1h"]).expect_code(0);
    let mut probe = lab.probe("a", &[], &lab.target("probe"));
    probe.wall().expect_skew(-3600 * crate::harness::SECOND);
    probe.quit();
    assert_eq!(lab.status("a")["made_by"], "create");
    lab.falseticker(["status"]).expect_code(0);
    assert_eq!(lab.left_in_nodes(), ["a"]);
    lab.falseticker(["remove", "a"]).expect_code(0);
    assert_eq!(lab.left_in_nodes(), Vec::<String>::new());
}

fn names(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    lab.falseticker(["create", "a"]).expect_code(2).expect_error("a");
    let shown = lab.falseticker(["jump", "b", "-1h"]).expect_code(2);
    shown
        .expect_error("no such node")
        .expect_error(&lab.nodes().to_string_lossy())
        .expect_error("falseticker status");
    lab.falseticker(["remove", "a"]).expect_code(0);
    lab.falseticker(["remove", "a"]).expect_code(2);
}

fn mode_of(path: &Path) -> u32 {
    path.metadata().map_or(0, |metadata| metadata.permissions().mode() & 0o7777)
}

fn modes(lab: &Lab) {
    lab.falseticker(["create", "own"]).expect_code(0);
    lab.falseticker(["create", "shared", "--share"]).expect_code(0);
    for (node, expected) in [("own", [0o700, 0o600, 0o600]), ("shared", [0o755, 0o644, 0o666])] {
        let dir = lab.nodes().join(node);
        let modes = [mode_of(&dir), mode_of(&dir.join("page")), mode_of(&dir.join("evidence"))];
        assert_eq!(modes, expected, "{node}: {modes:?}");
    }
    for node in ["own", "shared"] {
        lab.falseticker(["remove", node]).expect_code(0);
    }
}

fn swept(lab: &Lab) {
    let mut probe = lab.probe("a", &["--jump", "-1h"], &lab.target("probe"));
    // Its supervisor, its program, and whoever else would clean up.
    for process in lab.processes() {
        process.kill();
    }
    probe.live.end();
    eventually("the end of all", || lab.processes().is_empty().then_some(()));
    assert_eq!(lab.left_in_nodes(), ["a"], "with nobody left to remove it");
    lab.falseticker(["status"]).expect_code(0);
    assert_eq!(lab.left_in_nodes(), Vec::<String>::new());
}

fn killed_anywhere(lab: &Lab) {
    for round in 0..count_of("FALSETICKER_KILLS", 30) {
        let mut live = lab.run("a", &["--jump", "-1h"], ["true"]).live();
        std::thread::sleep(std::time::Duration::from_micros(150 * round as u64));
        live.signal(Signal::SIGKILL);
        live.end();
    }
    eventually("the end of the programs", || lab.processes().is_empty().then_some(()));
    lab.falseticker(["status"]).expect_code(0);
    assert_eq!(lab.left_in_nodes(), Vec::<String>::new());
}

fn env(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    lab.falseticker(["jump", "a", "-1d"]).expect_code(0);
    let env = lab.falseticker(["env", "a"]).expect_code(0);
    assert!(env.stdout.lines().all(|line| line.split_once('=').is_some()), "{}", env.report());
    let bare: i64 = lab.bare(["date", "+%s"]).text().parse().expect("seconds");
    let inside: i64 =
        lab.in_node("a", ["date", "+%s"]).done().expect_code(0).text().parse().expect("seconds");
    assert!((inside - bare + 86_400).abs() < 20);
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn export(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    lab.falseticker(["jump", "a", "-1d"]).expect_code(0);
    let script = format!("date +%s; eval \"$({} env a --export)\"; date +%s", binary());
    let done = lab.command("sh", ["-c", &script]).done().expect_code(0);
    let seconds: Vec<i64> = done.stdout.lines().filter_map(|line| line.parse().ok()).collect();
    assert!((seconds[1] - seconds[0] + 86_400).abs() < 20, "{}", done.report());
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn remove_heals(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    lab.falseticker(["jump", "a", "-1h"]).expect_code(0);
    let mut probe = lab.probe_in_node("a", &lab.target("probe"));
    probe.wall().expect_skew(-3600 * crate::harness::SECOND);
    lab.falseticker(["remove", "a"]).expect_code(0);
    let after = crate::harness::mono() + 5 * crate::harness::MILLISECOND;
    probe.wall_after(after).expect_skew(0);
    probe.quit();
}

fn directories(lab: &Lab) {
    let shm = |name: &str| lab.nodes().join(name);
    for name in ["with space", "with:colon", "$ORIGIN", "open", "target"] {
        std::fs::create_dir(shm(name)).expect("a directory can be made");
    }
    std::fs::set_permissions(shm("open"), PermissionsExt::from_mode(0o777)).expect("its mode can be changed");
    std::fs::create_dir(shm("others")).expect("a directory can be made");
    let given_away =
        nix::unistd::chown(&shm("others"), Some(nix::unistd::Uid::from_raw(65534)), None).is_ok();
    symlink(shm("target"), shm("link")).expect("a link can be made");
    std::fs::write(shm("file"), "").expect("a file can be written");
    let mut table = vec![
        (shm("with space"), "LD_PRELOAD"),
        (shm("with:colon"), "LD_PRELOAD"),
        (shm("$ORIGIN"), "'$'"),
        (shm("open"), "others can write"),
        (shm("link"), "symbolic link"),
        (shm("file"), "not a directory"),
        (lab.path("on-a-disk"), "tmpfs"),
        ("relative/path".into(), "absolute"),
        (shm("missing/below"), "No such file"),
    ];
    if given_away {
        table.push((shm("others"), "belongs to user 65534"));
    }
    for (directory, fragment) in table {
        for arguments in [vec!["create", "a"], vec!["run", "--node", "a", "--jump", "-1h", "--", "true"]] {
            let code = if arguments[0] == "run" { 125 } else { 3 };
            let done = lab.command(binary(), &arguments).env("FALSETICKER_DIR", &directory).done();
            done.expect_code(code).expect_error(fragment).expect_error("help:");
        }
    }
    let left = std::fs::read_dir(shm("target")).map(Iterator::count).unwrap_or(0);
    assert_eq!(left, 0, "something was left behind");
    for name in lab.left_in_nodes() {
        let path = shm(&name);
        let _ = std::fs::remove_dir(&path).or_else(|_| std::fs::remove_file(&path));
    }
}

fn runtime_dir(lab: &Lab) {
    let script =
        format!("{} run --node a --jump -1d -- sh -c 'date +%s; ls $XDG_RUNTIME_DIR/falseticker'", binary());
    let command =
        lab.command("sh", ["-c", &script]).env_remove("FALSETICKER_DIR").env("XDG_RUNTIME_DIR", lab.nodes());
    let done = command.done().expect_code(0);
    assert!(done.stdout.lines().any(|line| line == "a"), "{}", done.report());
    assert_eq!(lab.left_in_nodes(), Vec::<String>::new());
}

fn status(lab: &Lab) {
    for node in ["b", "a", "c"] {
        lab.falseticker(["create", node]).expect_code(0);
    }
    let names = |value: serde_json::Value| -> Vec<String> {
        let nodes = value["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().filter_map(|node| node["name"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(names(lab.falseticker(["status", "--json"]).expect_code(0).json()), ["a", "b", "c"]);
    assert_eq!(names(lab.falseticker(["status", "b", "--json"]).expect_code(0).json()), ["b"]);
    assert!(lab.falseticker(["status", "b"]).expect_code(0).stdout.contains('b'));
    lab.falseticker(["status", "nobody"]).expect_code(2).expect_error("no such node");
    for node in ["a", "b", "c"] {
        lab.falseticker(["remove", node]).expect_code(0);
    }
    assert_eq!(names(lab.falseticker(["status", "--json"]).expect_code(0).json()), Vec::<String>::new());
}

fn race(lab: &Lab) {
    for _ in 0..5 {
        let mut both: Vec<_> = (0..2).map(|_| lab.bare_live(binary(), ["create", "a"])).collect();
        let mut codes: Vec<i32> = both.iter_mut().map(crate::harness::Live::end).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 2]);
        lab.falseticker(["remove", "a"]).expect_code(0);
    }
}
