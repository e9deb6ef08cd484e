//! Verdicts: over histories that are there, and over those of scenarios that are played.

use libtest_mimic::Trial;

use crate::harness::{Lab, binary, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("check judges a history, shows a witness, and exits with 1 if a rule is violated")
            .shown_by(judges),
        spec("check refuses rules that it does not know, and histories that cannot be judged")
            .shown_by(refuses),
        spec(
            "a scenario's checks are judged in the end, written into its history, and judged the same again",
        )
        .shown_by(plays),
        spec("a scenario's checks that are wrong are refused with their line").shown_by(wrong),
    ]
}

/// Two clients that both read 0, and both write 1: as Jepsen tells of them.
const LOST: &str = r#"{"type":"invoke","f":"read","process":1,"value":null,"time":1000}
{"type":"ok","f":"read","process":1,"value":0,"time":2000}
{"type":"invoke","f":"read","process":2,"value":null,"time":3000}
{"type":"ok","f":"read","process":2,"value":0,"time":4000}
{"type":"invoke","f":"write","process":2,"value":1,"time":5000}
{"type":"ok","f":"write","process":2,"value":1,"time":6000}
{"type":"invoke","f":"write","process":1,"value":2,"time":7000}
{"type":"ok","f":"write","process":1,"value":2,"time":8000}
"#;

fn judges(lab: &Lab) {
    let path = lab.path("h.json").to_string_lossy().into_owned();
    std::fs::write(&path, LOST).expect("a file can be written");
    let check = |flags: &[&str]| lab.falseticker(["check", &path].iter().chain(flags));
    let done =
        check(&["--rule", "lost-update", "--rule", "linearizable", "--rule", "unique-ids"]).expect_code(1);
    let text = &done.stdout;
    assert!(text.contains("lost-update: violated") && text.contains("linearizable: holds"), "{text}");
    assert!(text.contains("unique-ids: unknown"), "{text}");
    assert!(text.contains("2: write 1  (line 5)") && text.contains("6us to 7us"), "{text}");
    let checks = check(&["--rule", "lost-update", "--json"]).expect_code(1).json()["checks"].clone();
    let lines: Vec<_> =
        checks[0]["witness"].as_array().into_iter().flatten().map(|seen| seen["line"].clone()).collect();
    assert_eq!(lines, [1, 5, 7]);
    // Without the first client's write nothing is wrong.
    let fine: String = LOST.lines().take(6).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, fine.replace("\"value\":0", "\"value\":null")).expect("a file can be written");
    let done = check(&["--rule", "lost-update", "--rule", "linearizable"]).expect_code(0);
    assert_eq!(done.stdout.matches(": holds").count(), 2, "{}", done.stdout);
    assert!(check(&[]).expect_code(0).stdout.contains("mutual-exclusion: unknown"));
}

fn refuses(lab: &Lab) {
    let path = lab.path("h.json").to_string_lossy().into_owned();
    std::fs::write(&path, LOST.replacen("\"ok\"", "\"invoke\"", 1)).expect("a file can be written");
    let check = |rule: &str| lab.falseticker(["check", &path, "--rule", rule]);
    check("fence").expect_code(2).expect_error("there is none of that name");
    check("progress").expect_code(2).expect_error("progress=N/SPAN");
    check("fencing")
        .expect_code(2)
        .expect_error("line 2: process 1 begins 'read', and has one open since line 1");
    lab.falseticker(["check", "/nonexistent"]).expect_code(2).expect_error("No such file");
}

/// A storage that is told to accept a write by an older token, and says so; and a client that goes on after the heal.
fn scenario(second: i64) -> String {
    format!(
        r#"[scenario]
name = "judged"
duration = "500ms"
recovery = "1s"

[nodes.storage]
command = ["bash", "-c", '''
echo '{{"op": "write", "process": "s", "value": 1, "token": 2}}'
echo '{{"op": "write", "process": "s", "value": 2, "token": {second}}}'
exec 9<> <(:)
while :; do echo '{{"op": "beat"}}'; read -t 0.02 -u 9; done''']

[checks]
fencing = true
recovers-within = "900ms"
stale-read = true
"#
    )
}

fn plays(lab: &Lab) {
    let play = |name: &str, second: i64| {
        let file = lab.path(&format!("{name}.toml"));
        std::fs::write(&file, scenario(second)).expect("a file can be written");
        let history = lab.path(name);
        let done = lab.command(binary(), ["play"]).arg(&file).arg("--history").arg(&history).done();
        (done, history.to_string_lossy().into_owned())
    };
    let (done, history) = play("broken", 1);
    let done = done.expect_code(1);
    for said in ["fencing: violated", "recovers-within=900ms: holds", "stale-read: unknown", "arrived: holds"]
    {
        assert!(done.stdout.contains(said), "{said}: {}", done.stdout);
    }
    assert!(done.stdout.contains("s: write 1 token=2"), "{}", done.stdout);
    let rules = ["--rule", "fencing", "--rule", "recovers-within=900ms", "--rule", "stale-read"];
    let again = lab.falseticker(["check", &history, "--json"].iter().chain(&rules)).expect_code(1).json();
    let told = lab.falseticker(["log", &history, "--event", "verdict", "--json"]).expect_code(0).json();
    let told = told["lines"].as_array().cloned().unwrap_or_default();
    let checks = again["checks"].as_array().cloned().unwrap_or_default();
    assert_eq!(checks.len(), 3);
    for check in checks {
        let same = told.iter().find(|line| line["check"] == check["check"]).expect("it is in the history");
        assert_eq!((&same["verdict"], &same["witness"]), (&check["verdict"], &check["witness"]));
    }
    let (done, _) = play("fine", 2);
    assert!(done.expect_code(0).stdout.contains("fencing: holds"));
}

fn wrong(lab: &Lab) {
    let refused = |line: &str, why: &str| {
        let file = lab.path("wrong.toml");
        let text = scenario(1).replace("stale-read = true", line);
        std::fs::write(&file, text).expect("a file can be written");
        let done = lab.command(binary(), ["play"]).arg(&file).done().expect_code(2).expect_error(why);
        assert!(done.stderr.contains("line 16, column") && done.stderr.contains(line), "{}", done.report());
        lab.leaves_nothing();
    };
    refused("stale = true", "there is none of that name");
    refused("progress = \"1s\"", "it is no number and a span");
    refused("stale-read = false", "left out");
    refused("stale-read = \"5s\"", "nothing is written after its name");
    refused("stale-read = 7", "write true, or what the rule needs");
}
