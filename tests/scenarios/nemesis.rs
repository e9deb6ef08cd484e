//! Timelines that are drawn.

use libtest_mimic::Trial;

use super::Scene;
use crate::harness::{Lab, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("the same seed draws the same timeline, byte for byte, and it is one that can be played")
            .shown_by(same),
        spec("play draws faults from a seed, and nothing is in force in the quiet time").shown_by(played),
    ]
}

const NODES: &str = "[nodes.a]\ncommand = [\"bash\", \"-c\", \"exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.01 -u 9; done\"]\n\
                     [nodes.b]\ncommand = [\"bash\", \"-c\", \"exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.01 -u 9; done\"]\n\
                     [nodes.c]\ncommand = [\"bash\", \"-c\", \"exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.01 -u 9; done\"]\n";

fn same(lab: &Lab) {
    let flags =
        ["nemesis", "--duration", "10m", "--nodes", "a,b,c", "--intensity", "high", "--max-skew", "500ms"];
    let drawn = |seed: &str| lab.falseticker(flags.iter().chain(&["--seed", seed])).expect_code(0).stdout;
    let text = drawn("7");
    assert_eq!(text, drawn("7"));
    assert_ne!(text, drawn("8"));
    let file = lab.path("timeline.toml");
    lab.falseticker(flags.iter().copied().chain(["--seed", "7", "-o", &file.to_string_lossy()]))
        .expect_code(0);
    assert_eq!(std::fs::read_to_string(&file).expect("it was written"), text);
    lab.falseticker(flags.iter().copied().chain(["-o", &file.to_string_lossy()]))
        .expect_code(2)
        .expect_error("File exists");
    let scene =
        Scene::new(lab, "drawn", &format!("[scenario]\nname = \"drawn\"\nduration = \"10m\"\n{NODES}{text}"));
    let dry = |seed: &str| {
        lab.falseticker(["play", &scene.file.to_string_lossy(), "--dry-run", "--json", "--seed", seed])
    };
    let planned = dry("1").expect_code(0).json();
    assert!(planned["timeline"].as_array().is_some_and(|all| all.len() > 50), "{planned}");
    assert_eq!(planned, dry("1").json());
    // No two clocks are ever further apart than was asked for.
    for clock in planned["clocks"].as_array().expect("a list") {
        for piece in clock["pieces"].as_array().expect("a list") {
            let off = piece["offset_ns"].as_i64().expect("a number");
            assert!(off.abs() <= 251_000_000, "{piece}");
        }
    }
    lab.falseticker(["nemesis", "--duration", "60s", "--nodes", "a,a"])
        .expect_code(2)
        .expect_error("named twice");
    lab.falseticker(["nemesis", "--duration", "100ms", "--nodes", "a"]).expect_code(2).expect_error("help: ");
}

fn played(lab: &Lab) {
    let text = format!(
        "[scenario]\nname = \"nemesis\"\nduration = \"6s\"\nrecovery = \"100ms\"\n{NODES}\
         [nemesis]\nintensity = \"high\"\nmix = [\"jump\", \"freeze\", \"kill\"]\nquiet = \"1s\"\n"
    );
    let scene = Scene::new(lab, "nemesis", &text);
    // An exit code of 1 would be a fault that nobody read, which a busy machine may bring about.
    let done = scene.play(&["--nemesis-seed", "11", "--json"]);
    assert!(done.code <= 1, "{}", done.report());
    let start = &scene.of("start")[0];
    let quiet = super::int(start, "heal_ns") - 1_000_000_000;
    let planned = scene.of("planned");
    assert!(planned.len() >= 2, "{planned:?}");
    assert!(planned.iter().all(|line| super::int(line, "due_ns") <= quiet), "{planned:?}");
    let of_programs =
        |line: &&serde_json::Value| !line["fault"]["kill"].is_null() || !line["fault"]["freeze"].is_null();
    let came = scene.of("frozen").len() + scene.of("killed").len() + scene.of("failed").len();
    assert_eq!(came, planned.iter().filter(of_programs).count());
}
