//! The recipes for others' test suites, as they stand in `examples`, tried.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;

use crate::harness::{Lab, binary, cgroups, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("recipes: pytest, in a fresh virtual environment")
            .needs("python3", "python3-venv")
            .where_possible(can_install)
            .shown_by(pytest),
        spec("recipes: a shell script steers the clock of the program that it tests").shown_by(shell),
        spec("recipes: services of systemd are in nodes by drop-ins, confined ones and static ones too, and stop while frozen")
            .needs("/lib/systemd/systemd", "systemd")
            .needs("bwrap", "bubblewrap")
            .needs("busybox", "busybox-static")
            .where_possible(cgroups::of_version_2)
            .where_possible(machine)
            .shown_by(systemd),
    ]
}

/// Whether pip reaches an index; in CI it has to.
fn can_install() -> Result<(), String> {
    let asks = || Command::new("python3").args(["-m", "pip", "index", "versions", "pytest"]).output();
    if std::env::var_os("CI").is_some() || asks().is_ok_and(|asked| asked.status.success()) {
        return Ok(());
    }
    Err("pip does not reach an index from which it could install pytest".to_owned())
}

fn pytest(lab: &Lab) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pytest");
    let environment = lab.path("venv");
    lab.command("python3", ["-m", "venv"]).arg(&environment).done().expect_code(0);
    let python = environment.join("bin/python");
    lab.command(&python, ["-m", "pip", "install", "-q", "pytest"]).done().expect_code(0);
    let done = lab
        .command(&python, ["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .env("FALSETICKER", binary())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(folder)
        .done();
    assert!(done.expect_code(0).stdout.contains("5 passed"));
}

fn shell(lab: &Lab) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/recipes/test.sh");
    let done = lab.command(script, [""; 0]).env("FALSETICKER", binary()).done().expect_code(0);
    assert!(done.text().starts_with("ok: "), "{}", done.report());
}

/// Whether mounts and process ids of their own can be had; in CI they have to.
fn machine() -> Result<(), String> {
    let tries = || {
        Command::new("bwrap")
            .args(["--ro-bind", "/", "/", "--unshare-pid", "--cap-add", "ALL", "true"])
            .output()
    };
    if std::env::var_os("CI").is_some() || tries().is_ok_and(|tried| tried.status.success()) {
        return Ok(());
    }
    Err("bwrap makes no namespaces here: root can".to_owned())
}

fn systemd(lab: &Lab) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/systemd/try.sh");
    let done = lab.command(script, [""; 0]).env("FALSETICKER", binary()).done().expect_code(0);
    let told: Vec<&str> = done.stdout.lines().collect();
    let [started, jumped, healed, stopped, nodes] = told[..] else { panic!("{}", done.report()) };
    for (told, skews) in [(started, [0, 0, 0]), (jumped, [-3600, -3600, 3600]), (healed, [0, 0, 0])] {
        let words: Vec<&str> = told.split_whitespace().skip(1).collect();
        let named = words.chunks(2).map(|pair| (pair[0], pair[1].parse().expect("a number of seconds")));
        for ((name, skew), (expected_name, expected)) in
            named.zip(["plain", "confined", "static"].into_iter().zip(skews))
        {
            let skew: i64 = skew;
            // It was asked just before the machine's clock was.
            assert!(name == expected_name && (expected - skew).abs() <= 5, "{told}");
        }
        assert_eq!(words.len(), 6, "{told}");
    }
    assert!(stopped.contains("2 processes frozen") && stopped.ends_with("stopped: success"), "{stopped}");
    assert_eq!(nodes, "no nodes");
}
