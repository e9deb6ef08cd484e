//! Attached and detached over and over, while all threads read their clocks: no crash, and each reading is the truth or the node's.

use std::path::PathBuf;
use std::time::Duration;

use libtest_mimic::Trial;

use super::{numbers, says_pid};
use crate::harness::{Lab, Live, count_of, source, spec};

/// How long a busy program is left alone between two cycles.
const BETWEEN: Duration = Duration::from_millis(5);

pub fn trials() -> Vec<Trial> {
    let sentence = |what: &str| {
        format!("attach: {what} is attached and detached over and over, and reads no wrong time")
    };
    vec![
        spec(sentence("a C program whose threads have timers of 1 ms")).needs("cc", "gcc").shown_by(c),
        spec(sentence("a Go program under a profiler and its collector"))
            .needs("go", "golang-go")
            .shown_by(go),
    ]
}

fn c(lab: &Lab) {
    let mut live = lab.bare_live(lab.target("attached").path(), ["4", "3600"]);
    let pid = says_pid(&mut live, "ready");
    cycle(lab, "C", pid, live);
}

fn go(lab: &Lab) {
    let program = build(lab);
    let mut live = lab.bare_live(program, ["3600"]);
    let pid = says_pid(&mut live, "ready");
    cycle(lab, "Go", pid, live);
}

fn build(lab: &Lab) -> PathBuf {
    let program = lab.path("attached-go");
    let build =
        lab.command("go", ["build", "-o"]).arg(&program).arg(source("attached.go")).env("CGO_ENABLED", "0");
    build.done().expect_code(0);
    program
}

fn cycle(lab: &Lab, what: &str, pid: i32, mut live: Live) {
    lab.falseticker(["create", "a"]).expect_code(0);
    lab.falseticker(["jump", "a", "+1h"]).expect_code(0);
    let cycles = count_of("FALSETICKER_ATTACH", 8);
    let (mut refused, mut again) = (0, 0_i64);
    let (mut joins, mut leaves) = (Vec::new(), Vec::new());
    let pid = pid.to_string();
    for _ in 0..cycles {
        let done = lab.falseticker(["attach", "--pid", &pid, "--node", "a", "--json"]);
        if done.code == 3 && done.stderr.contains("each time") {
            refused += 1;
            continue;
        }
        let joined = &done.expect_code(0).json()["attached"][0];
        again += joined["stops"].as_i64().unwrap_or(1) - 1;
        joins.extend(joined["stopped_ns"].as_i64());
        std::thread::sleep(BETWEEN);
        let left = lab.falseticker(["detach", "--pid", &pid, "--json"]).expect_code(0).json();
        leaves.extend(left["detached"][0]["stopped_ns"].as_i64());
        std::thread::sleep(BETWEEN);
        assert!(!live.has_ended(), "it has ended: {}", live.transcript().report());
    }
    live.say("");
    let counts = numbers(&mut live, "readings");
    let [readings, skewed, interrupted, wrong] = counts[..] else { panic!("it says {counts:?}") };
    assert_eq!(wrong, 0, "{}", live.transcript().report());
    assert!(skewed > 0 && skewed < readings, "{skewed} of {readings} readings were the node's");
    eprintln!(
        "{what}: {cycles} cycles, {refused} refused, {again} stopped again; {readings} readings, {skewed} the node's, \
         {interrupted} interruptions; stopped to attach {}, to detach {}",
        quantiles(joins),
        quantiles(leaves)
    );
    lab.falseticker(["remove", "a"]).expect_code(0);
    assert_eq!(live.finish(), 0, "{}", live.transcript().report());
}

/// The middle, the worst of a hundred, and the worst of some lengths.
fn quantiles(mut nanos: Vec<i64>) -> String {
    nanos.sort_unstable();
    let at = |part: usize| {
        nanos.get((nanos.len() * part / 100).min(nanos.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    let shown = |nanos: i64| format!("{}.{:03} ms", nanos / 1_000_000, nanos / 1_000 % 1_000);
    format!("{} (p99 {}, most {})", shown(at(50)), shown(at(99)), shown(at(100)))
}
