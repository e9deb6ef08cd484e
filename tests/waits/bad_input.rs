//! Deadlines, clocks, operations and pointers that are no good: the answers are those of the bare program.

use std::collections::BTreeMap;

use libtest_mimic::Trial;

use crate::harness::{Lab, Spec};

pub fn trials(libc: &'static str, of: impl Fn(&str) -> Spec) -> Vec<Trial> {
    vec![
        of("every call answers every bad, past and far deadline as the bare program")
            .shown_by(move |lab| same_answers(lab, libc, "wait_deadlines", 1000)),
        of("bad clocks, operations, flags and pointers get the bare program's answers")
            .shown_by(move |lab| same_answers(lab, libc, "wait_errors", 2500)),
        of("bad settings of timers and bad lengths of time get the bare program's answers")
            .shown_by(move |lab| same_answers(lab, libc, "timer_errors", 2000)),
    ]
}

/// Nodes in which the answers are the bare program's.
const NODES: [(&str, &[&str]); 4] = [
    ("idle", &[]),
    ("jumped", &["--jump", "+1h"]),
    ("behind", &["--jump", "-1h"]),
    ("drifting", &["--monotonic", "--clock", "all", "--drift", "2x"]),
];

/// Runs a target bare and in nodes, and compares its lines. What crashes bare may crash.
fn same_answers(lab: &Lab, libc: &str, target: &str, at_least: usize) {
    let target = lab.target(target).of(libc).path();
    let bare = lab.bare([&target]).expect_code(0).stdout;
    let hangs: Vec<&str> = bare.lines().filter(|line| line.ends_with("signal 14")).collect();
    assert!(hangs.is_empty(), "bare calls hang: {hangs:#?}");
    let compared = answers(&bare).len();
    assert!(compared >= at_least, "only {compared} answers");
    for (node, flags) in NODES {
        let under = lab.run(node, flags, [&target]).done().expect_code(0).stdout;
        let under = answers(&under);
        let differing: Vec<String> = answers(&bare)
            .iter()
            .filter(|(_, answer)| !answer.starts_with("signal"))
            .filter(|(call, answer)| under.get(*call) != Some(*answer))
            .map(|(call, answer)| {
                format!("{call}: bare {answer}, under {}\n", under.get(call).unwrap_or(&"nothing"))
            })
            .collect();
        assert!(differing.is_empty(), "{node}: {} answers differ:\n{}", differing.len(), differing.concat());
    }
}

/// What was asked, and the answer.
fn answers(text: &str) -> BTreeMap<&str, &str> {
    let split = |line: &'_ str| line.rfind(" = ").map(|at| (at, 3)).or(line.rfind(": ").map(|at| (at, 2)));
    text.lines()
        .filter_map(|line| split(line).map(|(at, length)| (&line[..at], &line[at + length..])))
        .collect()
}
