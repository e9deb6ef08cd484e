//! The player killed by SIGKILL at any instant.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{Scene, has_step, int, steps};
use crate::harness::{Lab, Live, MILLISECOND, SECOND, count_of, eventually, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("when the player is killed, every planned clock fault and its heal still takes effect, nobody stays frozen, and the programs end")
            .shown_by(kills),
    ]
}

/// How many players are killed at a time.
const AT_A_TIME: usize = 4;
/// From its start until a player is done: the kills are spread over that.
const WHOLE: u64 = 2_100;

/// What became of one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Killed {
    /// Before anything was planned.
    Early,
    /// With its plan in the pages.
    Playing,
    /// It had come to its end.
    Late,
}

fn kills(lab: &Lab) {
    let runs = count_of("FALSETICKER_PLAYER_KILLS", 8);
    let (mut early, mut playing, mut late, mut seen) = (0, 0, 0, 0);
    let numbers: Vec<usize> = (0..runs).collect();
    // Compiled once, before the clock ticks.
    lab.target("moments").path();
    for some in numbers.chunks(AT_A_TIME) {
        // Spread evenly over the whole time, in no order: 0.618 is as far from every fraction as can be.
        let when = |number: usize| Duration::from_millis((number as u64 * 618) % 1_000 * WHOLE / 1_000);
        let begin = |number: &usize| {
            let scene = scene(lab, *number);
            let live = scene.command(&[]).live();
            (scene, *number, live, Instant::now() + when(*number))
        };
        let mut begun: Vec<(Scene<'_>, usize, Live, Instant)> = some.iter().map(begin).collect();
        begun.sort_by_key(|(.., at)| *at);
        for (_, _, live, at) in &mut begun {
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            live.signal(Signal::SIGKILL);
        }
        for (scene, number, mut live, _) in begun {
            let code = live.end();
            let (what, count) = after(lab, &scene, number, code);
            match what {
                Killed::Early => early += 1,
                Killed::Playing => playing += 1,
                Killed::Late => late += 1,
            }
            seen += count;
        }
        // The next command sweeps what was only half made.
        lab.falseticker(["status"]);
        lab.leaves_nothing();
    }
    eprintln!(
        "{runs} players killed: {early} before their plan, {playing} while playing, {late} after their end; \
         {seen} changes of clocks that were planned, all of them seen by their programs at their instants"
    );
}

fn scene(lab: &Lab, number: usize) -> Scene<'_> {
    let target = lab.target("moments").path();
    let node = |name: &str| {
        let seen = lab.path(&format!("seen-{number}-{name}"));
        format!(
            "[nodes.k{number}{name}]\ncommand = [{target:?}, {seen:?}]\nready = {{ output = \"watching\" }}\n"
        )
    };
    let entry = |at: &str, node: &str, what: &str| {
        format!("[[timeline]]\nat = \"{at}\"\nnode = \"k{number}{node}\"\n{what}\n")
    };
    Scene::new(
        lab,
        &format!("kill-{number}"),
        &[
            format!("[scenario]\nname = \"kill {number}\"\nduration = \"1200ms\"\nrecovery = \"300ms\"\n"),
            node("a"),
            node("b"),
            entry("200ms", "a", "jump = { by = \"-5s\", for = \"400ms\" }"),
            entry("900ms", "a", "jump = \"1h\""),
            entry("150ms", "b", "jump = { by = \"10s\", for = \"850ms\" }"),
            entry("300ms", "b", "freeze = \"500ms\""),
        ]
        .concat(),
    )
}

/// Looks at what is left, and at what the programs have seen; how many changes that were.
fn after(lab: &Lab, scene: &Scene<'_>, number: usize, code: i32) -> (Killed, usize) {
    let of_this = |name: &str| lab.path(&format!("seen-{number}-{name}"));
    let (name_a, name_b) = (format!("k{number}a"), format!("k{number}b"));
    eventually("its programs have ended, and its nodes are gone", || {
        // A node whose keeper was not there yet is the next command's to sweep.
        lab.falseticker(["status"]);
        let left = lab.left_in_nodes().into_iter().any(|node| node == name_a || node == name_b);
        (!left).then_some(())
    });
    if !scene.history.exists() {
        return (Killed::Early, 0);
    }
    let log = lab.falseticker(["log", &scene.history.to_string_lossy(), "--all", "--json"]);
    if std::fs::metadata(&scene.history).is_ok_and(|data| data.len() == 0) {
        return (Killed::Early, 0);
    }
    let log = log.expect_code(0).json();
    let lines = log["lines"].as_array().expect("a list");
    let planned: Vec<_> = lines.iter().filter(|line| line["event"] == "planned").collect();
    let Some(first) = planned.first() else { return (Killed::Early, 0) };
    // The first planned fault is the one at 150 ms.
    let start = int(first, "due_ns") - 150 * MILLISECOND;
    let at = |ms: i64| start + ms * MILLISECOND;
    let (a, b) = (steps(&of_this("a")), steps(&of_this("b")));
    let expected = [
        (&a, 200, -5 * SECOND),
        (&a, 600, 5 * SECOND),
        (&a, 900, 3_600 * SECOND),
        (&a, 1_200, -3_600 * SECOND),
        (&b, 150, 10 * SECOND),
        (&b, 1_000, -10 * SECOND),
    ];
    for (steps, ms, by) in expected {
        assert!(
            has_step(steps, at(ms), by),
            "run {number}: no step by {by} {ms} ms after the start: {steps:?}"
        );
    }
    (if code == 137 { Killed::Playing } else { Killed::Late }, expected.len())
}
