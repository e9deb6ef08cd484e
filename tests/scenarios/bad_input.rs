//! Scenarios that cannot be played, and faults that cannot be put in force.

use libtest_mimic::Trial;

use super::Scene;
use crate::harness::{Lab, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("a scenario that is wrong is refused with its line, and nothing is started").shown_by(wrong),
        spec("a program that does not start, or is never ready, ends a scenario with its last words")
            .shown_by(starts),
        spec("a fault on a node whose program has ended is told, and has not arrived").shown_by(ended),
        spec("a history that exists is overwritten only when that is asked for").shown_by(exists),
    ]
}

const HEAD: &str = "[scenario]\nname = \"x\"\nduration = \"1s\"\nrecovery = \"100ms\"\n";
const A: &str = "[nodes.a]\ncommand = [\"bash\", \"-c\", \"exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.02 -u 9; done\"]\n";

#[track_caller]
fn refused(lab: &Lab, name: &str, text: &str, code: i32, why: &str) {
    let scene = Scene::new(lab, name, text);
    let done = scene.play(&[]).expect_code(code).expect_error(why);
    assert!(done.stderr.contains("help: "), "no remedy in\n{}", done.report());
    lab.leaves_nothing();
}

fn wrong(lab: &Lab) {
    let entry = "[[timeline]]\nat = \"2s\"\nnode = \"c\"\njump = \"1s\"\n";
    refused(lab, "late", &format!("{HEAD}{A}{entry}"), 2, "line 8, column 6: 2s is not before the end");
    let entry = "[[timeline]]\nat = \"500ms\"\nnode = \"c\"\njump = \"1s\"\n";
    refused(lab, "nobody", &format!("{HEAD}{A}{entry}"), 2, "there is no node 'c'");
    let absent = "[nodes.a]\ncommand = [\"/nonexistent/program\"]\n";
    refused(lab, "absent", &format!("{HEAD}{absent}"), 2, "/nonexistent/program");
    let dir = format!("{HEAD}{A}dir = \"nowhere\"\n");
    refused(lab, "dir", &dir, 2, "is no directory");
    // What cannot be combined is known before anything is started.
    let slow = "[[timeline]]\nat = \"100ms\"\nnode = \"a\"\ndrift = \"-90%\"\n[[timeline]]\nat = \"200ms\"\nnode = \"a\"\n\
                slew = { by = \"-1s\", rate = \"90%\" }\n";
    refused(lab, "slow", &format!("{HEAD}{A}{slow}"), 2, "below standstill");
    lab.falseticker(["create", "a"]).expect_code(0);
    Scene::new(lab, "taken", &format!("{HEAD}{A}"))
        .play(&[])
        .expect_code(2)
        .expect_error("there is a node of that name");
    lab.falseticker(["remove", "a"]).expect_code(0);
    lab.falseticker(["play", "/nonexistent.toml"]).expect_code(2).expect_error("No such file");
}

fn starts(lab: &Lab) {
    let node = |script: &str, more: &str| {
        format!("{HEAD}{A}[nodes.b]\ncommand = [\"bash\", \"-c\", \"{script}\"]\n{more}")
    };
    let never = node("echo almost; sleep 1000", "ready = { port = 1, within = \"300ms\" }\n");
    refused(lab, "never", &never, 3, "it is not ready after 300ms (port 1); it said: almost");
    let dies = node("echo no luck >&2; exit 4", "ready = { output = \"up\" }\n");
    refused(lab, "dies", &dies, 3, "exit code 4; it said: no luck");
    let scene = Scene::new(lab, "told", &node("exit 4", "ready = { output = \"up\" }\n"));
    scene.play(&[]).expect_code(3);
    let end = scene.of("end");
    assert_eq!(end[0]["reason"], "failed");
    assert!(end[0]["why"].as_str().is_some_and(|why| why.contains("exit code 4")), "{end:?}");
}

fn ended(lab: &Lab) {
    let text = format!(
        "{HEAD}[nodes.a]\nends = true\ncommand = [\"bash\", \"-c\", \"echo up\"]\n\
         [[timeline]]\nat = \"700ms\"\nnode = \"a\"\nfreeze = \"100ms\"\n\
         [[timeline]]\nat = \"700ms\"\nnode = \"a\"\nkill = \"now\"\n\
         [[timeline]]\nat = \"700ms\"\nnode = \"a\"\njump = \"1s\"\n"
    );
    let scene = Scene::new(lab, "ended", &text);
    let done = scene.play(&["--json"]).expect_code(1).json();
    let why = done["checks"][0]["why"].to_string();
    assert_eq!(why.matches("none of its processes runs").count(), 2, "{why}");
    assert!(why.contains("nobody has read his clock under it"), "{why}");
    assert_eq!(scene.of("failed").len(), 2);
}

fn exists(lab: &Lab) {
    let scene = Scene::new(lab, "exists", &format!("{HEAD}{A}"));
    std::fs::write(&scene.history, "mine").expect("a file can be written");
    scene.play(&[]).expect_code(2).expect_error("--overwrite");
    assert_eq!(std::fs::read_to_string(&scene.history).expect("it is there"), "mine");
    lab.leaves_nothing();
    scene.play(&["--overwrite"]).expect_code(0);
    assert_eq!(scene.of("end").len(), 1);
}
