//! Programs that no shim reaches: their clocks stay true, and a pause is theirs all the same, if they descend from whom it is for.

use std::time::Duration;

use libtest_mimic::Trial;

use super::Stopped;
use crate::harness::{Lab, Live, spec, state_of};

pub fn trials() -> Vec<Trial> {
    let sentence =
        "pauses: a statically linked program that a shell of the node starts, or becomes, is frozen with it";
    vec![spec(sentence).needs("cc", "gcc").shown_by(descendants)]
}

#[track_caller]
fn expect_silent(live: &mut Live) {
    live.say("counts");
    assert_eq!(live.line_within(Duration::from_millis(100)), None, "it answers while it is stopped");
}

fn descendants(lab: &Lab) {
    let program = lab.target("tree").flags(["-static"]).path();
    let program = program.to_str().expect("a path");
    lab.run("a", &["--reach", "preload"], [program, "3", "1"])
        .done()
        .expect_code(125)
        .expect_error("statically");
    let scripts = [format!("{program} 3 1; :"), format!("exec {program} 3 1")];
    for script in scripts {
        let words = ["sh", "-c", &script];
        let mut lives = [lab.bare_live(words[0], &words[1..]), lab.run("a", &[], words).live()];
        let pids = lives.each_mut().map(|live| -> Vec<i32> {
            let line = live.line_where(|line| line.starts_with("pids"));
            line.split(' ').filter_map(|word| word.parse().ok()).collect()
        });
        let stopped = Stopped::tree(lives[0].pid());
        lab.falseticker(["freeze", "a"]).expect_code(0);
        for (live, pids) in lives.iter_mut().zip(&pids) {
            let states: Vec<_> = pids.iter().map(|pid| state_of(*pid)).collect();
            assert_eq!(states, [Some('T'); 3], "{script}");
            expect_silent(live);
        }
        drop(stopped);
        lab.falseticker(["thaw", "a"]).expect_code(0);
        for mut live in lives {
            live.line_where(|line| line.starts_with("counts"));
            assert_eq!(live.finish(), 0);
        }
    }
}
