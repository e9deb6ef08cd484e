//! The lease of the examples, as it is but for its file: other tests run beside it.

use std::path::Path;

use libtest_mimic::Trial;

use super::Scene;
use crate::harness::{Lab, spec};

pub fn trials() -> Vec<Trial> {
    vec![spec("examples: a paused leaseholder is replaced").shown_by(lease)]
}

fn lease(lab: &Lab) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let text = std::fs::read_to_string(folder.join("lease.toml")).expect("it is there");
    let text = text.replace("/tmp/falseticker-lease", &lab.path("the-lease").to_string_lossy());
    let scene = Scene::new(lab, "lease", &text);
    lab.copy_of(&folder.join("lease.sh"), "lease.sh");
    scene.play(&["--seed", "3"]).expect_code(0);
    let frozen = super::int(&scene.of("frozen")[0], "confirmed_ns");
    let resumed = super::int(&scene.of("resumed")[0], "first_resumed_ns");
    let fired = scene.of("fired");
    let elected = fired.iter().find(|fired| fired["on"] == "elected leader b").expect("b is elected");
    let elected = super::int(elected, "at_ns");
    assert!(frozen < elected && elected < resumed, "b leads while a stands still: {fired:?}");
    assert!(scene.of("op").iter().any(|op| op["node"] == "b" && super::int(op, "at_ns") < resumed));
}
