//! How a scenario ends before its time, and what is left then.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::Scene;
use crate::harness::{Lab, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("Ctrl-C heals, undoes, stops the programs and waits for them, and ends the history")
            .shown_by(interrupted),
        spec("a scenario that is interrupted while it starts leaves nothing").shown_by(interrupted_early),
        spec("a full disk in the middle of a scenario heals and stops all, and keeps what was recorded")
            .shown_by(full),
    ]
}

fn endless(undone: &std::path::Path) -> String {
    format!(
        "[scenario]\nname = \"endless\"\nduration = \"1h\"\n\
         [nodes.a]\ncommand = [\"bash\", \"-c\", \"trap 'echo bye; exit 0' TERM; echo up; exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.02 -u 9; done\"]\n\
         ready = {{ output = \"up\" }}\n[nodes.b]\ncommand = [\"bash\", \"-c\", \"exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.02 -u 9; done\"]\n\
         [[timeline]]\nat = \"50ms\"\nnode = \"a\"\njump = \"-1h\"\n\
         [[timeline]]\nat = \"100ms\"\nnode = \"b\"\nfreeze = \"50m\"\n\
         [[timeline]]\nat = \"150ms\"\nrun = \"true\"\nundo = \"touch {}\"\n",
        undone.display()
    )
}

fn interrupted(lab: &Lab) {
    let undone = lab.path("undone");
    let scene = Scene::new(lab, "endless", &endless(&undone));
    let mut live = scene.command(&[]).live();
    live.line_where(|line| line.contains("b: frozen"));
    live.line_where(|line| line.contains("run true: exit code 0"));
    live.signal(Signal::SIGINT);
    assert_eq!(live.end(), 130, "{}", live.transcript().report());
    assert!(undone.exists(), "what the command did is undone");
    let said: Vec<String> =
        scene.of("output").iter().map(|line| line["line"].as_str().unwrap_or_default().to_owned()).collect();
    assert!(said.contains(&"bye".to_owned()), "it was asked to end, and was not killed: {said:?}");
    let end = scene.of("end");
    assert_eq!(end[0]["reason"], "interrupted");
    assert!(scene.of("exited").iter().all(|line| line["expected"] == true));
    assert_eq!(scene.of("resumed").len(), 1);
}

fn interrupted_early(lab: &Lab) {
    let text = "[scenario]\nname = \"early\"\nduration = \"1h\"\n[nodes.a]\ncommand = [\"sleep\", \"1000\"]\n\
                ready = { output = \"never\", within = \"1h\" }\n";
    let scene = Scene::new(lab, "early", text);
    let mut live = scene.command(&[]).live();
    live.line_where(|line| line.contains("a: started"));
    live.signal(Signal::SIGTERM);
    assert_eq!(live.end(), 130, "{}", live.transcript().report());
    assert_eq!(scene.of("end")[0]["reason"], "interrupted");
}

fn full(lab: &Lab) {
    let undone = lab.path("undone");
    let scene = Scene::new(lab, "full", &endless(&undone));
    let mut live = lab
        .command("bash", ["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", crate::harness::binary(), "play"])
        .arg(&scene.file)
        .arg("--history")
        .arg(&scene.history)
        .env("TMPDIR", lab.path(""))
        .live();
    live.line_where(|line| line.contains("run true: exit code 0"));
    // From now on its files may not grow beyond this: writing fails in the middle of a line, as on a full disk.
    let room = std::fs::metadata(&scene.history).expect("there is a history").len() + 1_000;
    let limit = format!("--fsize={room}");
    lab.command("prlimit", [limit.as_str(), "--pid", &live.pid().to_string()]).done().expect_code(0);
    assert_eq!(live.end(), 3, "{}", live.transcript().report());
    live.expect_said("what was recorded is kept");
    assert!(undone.exists(), "what the command did is undone");
    let log =
        lab.falseticker(["log", &scene.history.to_string_lossy(), "--all", "--json"]).expect_code(0).json();
    assert!(log["lines"].as_array().is_some_and(|lines| lines.len() > 10), "{log}");
    assert_eq!(log["ended"], false);
}
