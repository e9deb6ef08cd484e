//! What it is for: between "is my lease still valid?" and the write that follows.

use std::time::Duration;

use libtest_mimic::Trial;

use super::armed;
use crate::harness::{Lab, Live, count_of, spec};

const LEASE_MS: &str = "150";
/// A run, and a pause in it that is longer than the lease.
const RUN_MS: &str = "350";
const PAUSE: &str = "250ms";

pub fn trial() -> Trial {
    spec("traps: a pause at the read that checks a lease makes every holder write after its end, one at random few")
        .needs("cc", "gcc")
        .shown_by(leases)
}

fn leases(lab: &Lab) {
    let runs = count_of("FALSETICKER_LEASES", 10);
    let mut holder =
        lab.run("a", &[], [lab.target("leaseholder").path().as_os_str(), LEASE_MS.as_ref()]).live();
    holder.line_where(|line| line == "ready");
    let mut with_the_trap = 0;
    for _ in 0..runs {
        // The first read takes the lease, the next ones check it.
        let mut trap = armed(lab, &["--on-read", "wall", "--nth", "3", "--for", PAUSE]);
        holder.say(RUN_MS);
        with_the_trap += usize::from(late(&mut holder) > 0);
        assert_eq!(trap.end(), 0);
    }
    let mut at_random = 0;
    // Knuth's generator, so that a run can be repeated.
    let mut state = 5_u64;
    for _ in 0..runs {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        holder.say(RUN_MS);
        std::thread::sleep(Duration::from_micros((state >> 33) % 250_000));
        lab.falseticker(["freeze", "a", "--for", PAUSE]).expect_code(0);
        at_random += usize::from(late(&mut holder) > 0);
    }
    eprintln!(
        "writes after the lease's end, with a pause of {PAUSE} at the read that checks it: in {with_the_trap} of \
         {runs} runs; with one at a random instant: in {at_random}"
    );
    assert_eq!(with_the_trap, runs, "runs with a write after the lease's end, with the trap");
    assert!(at_random * 4 <= runs, "pauses at random hit it in {at_random} of {runs} runs");
    holder.finish();
}

/// How many of a run's writes came after the lease had ended.
#[track_caller]
fn late(holder: &mut Live) -> u64 {
    let line = holder.line_where(|line| line.starts_with("writes "));
    let late = line.rsplit(' ').next().and_then(|word| word.parse().ok());
    late.unwrap_or_else(|| panic!("{line:?}"))
}
