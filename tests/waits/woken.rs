//! Who waits on a futex for a length of time, and is woken because the clock has changed, sees the change: it waits for what is left by
//! the clock that it reads then, and by one that is about to jump that is far too long.

use falseticker::{Span, host_clock};

use super::columns::Deed;
use crate::harness::{Lab, MILLISECOND, SECOND, thread_of, until_blocked};

const JUMPS: i64 = 20;
/// Changes are published less than this before they take effect, and take effect further from one another.
const SHORTLY: i64 = 5 * MILLISECOND;

pub fn show(lab: &Lab, libc: &str) {
    let target = lab.target("wait_woken").of(libc);
    let mut live = lab.run("a", &["--monotonic"], [target.path()]).live();
    let thread = thread_of(&live.line());
    for jump in 1..=JUMPS {
        // Who is on its way there knows of the change, and need not be woken.
        until_blocked(&[thread]);
        let applied = Deed::JumpAll(Span::from_secs(1)).apply(&lab.node("a")).expect("it is applied");
        let takes_effect = applied.at.as_nanos();
        let is_told = |line: &str| {
            let numbers: Vec<i64> = line.split(' ').skip(1).filter_map(|word| word.parse().ok()).collect();
            let [ahead, woken] = numbers[..] else { panic!("the target says {line:?}") };
            let early = takes_effect - woken;
            assert!(!(1..SHORTLY).contains(&early), "jump {jump}: woken {early} ns before it takes effect");
            ahead > jump * SECOND - SECOND / 2
        };
        live.line_where(is_told);
        host_clock::sleep_until(applied.at.saturating_add(Span::from_nanos(2 * SHORTLY)));
    }
}
