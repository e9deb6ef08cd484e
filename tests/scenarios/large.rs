//! Large scenarios.

use std::fmt::Write as _;
use std::time::Instant;

use libtest_mimic::Trial;

use super::{Scene, int};
use crate::harness::{Lab, count_of, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("thousands of entries over many nodes are read, laid and played without drifting")
            .shown_by(large),
    ]
}

fn large(lab: &Lab) {
    // 10000 entries over 50 nodes for the closing note.
    let entries = count_of("FALSETICKER_ENTRIES", 1_000);
    let nodes = count_of("FALSETICKER_ENTRY_NODES", 5);
    let seconds = count_of("FALSETICKER_ENTRY_SECONDS", 4);
    let mut text = format!(
        "[scenario]\nname = \"large\"\nduration = \"{seconds}s\"\nrecovery = \"200ms\"\nsample = \"1s\"\noutput = false\n"
    );
    for node in 0..nodes {
        let _ = write!(
            text,
            "[nodes.l{node}]\ncommand = [\"bash\", \"-c\", \"exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.05 -u 9; done\"]\n"
        );
    }
    let span = i64::try_from(seconds).expect("it fits") * 1_000_000 - 200_000;
    for entry in 0..entries {
        let at = 100_000
            + span * i64::try_from(entry).expect("it fits") / i64::try_from(entries).expect("it fits");
        let node = entry % nodes;
        let _ = write!(
            text,
            "[[timeline]]\nat = \"{at}us\"\nnode = \"l{node}\"\noptional = true\njump = \"{}ms\"\n",
            entry % 7 + 1
        );
    }
    let scene = Scene::new(lab, "large", &text);
    let begun = Instant::now();
    let planned =
        lab.falseticker(["play", &scene.file.to_string_lossy(), "--dry-run", "--json"]).expect_code(0).json();
    let read = begun.elapsed();
    assert_eq!(planned["timeline"].as_array().map(Vec::len), Some(entries));
    scene.play(&["--quiet"]).expect_code(0);
    let start = int(&scene.of("start")[0], "at_ns");
    let due: std::collections::BTreeMap<i64, i64> =
        scene.of("planned").iter().map(|line| (int(line, "id"), int(line, "due_ns"))).collect();
    let applied: Vec<_> = scene.of("applied").into_iter().filter(|line| !line["id"].is_null()).collect();
    assert_eq!((due.len(), applied.len()), (entries, entries));
    // Each at its own nanosecond, the last ones as the first.
    assert!(applied.iter().all(|line| int(line, "at_ns") == due[&int(line, "id")]));
    let last = due.values().max().expect("there are some") - start;
    eprintln!(
        "{entries} entries over {nodes} nodes: read and laid in {read:.2?}; the last one {last} ns after the start, as planned"
    );
}
