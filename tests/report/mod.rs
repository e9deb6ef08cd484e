//! Reports, as a browser shows them, and verdicts as JUnit's XML.

mod browsed;
mod made;
mod written;

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    [browsed::trials(), written::trials()].into_iter().flatten().collect()
}
