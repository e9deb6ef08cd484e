//! Timers that are armed while the clock changes: what programs do with them, and how many of them there may be.

mod many;
mod notices;
mod numbers;
mod semantics;

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    [semantics::trials(), numbers::trials(), notices::trials(), many::trials()]
        .into_iter()
        .flatten()
        .collect()
}
