//! Scenarios: played, killed, interrupted, refused.

mod bad_input;
mod ends;
mod examples;
mod fuzz;
mod kills;
mod large;
mod log;
mod nemesis;
mod plays;
mod systems;

use std::path::PathBuf;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Command, Done, Lab, binary};

pub fn trials() -> Vec<Trial> {
    [
        plays::trials(),
        kills::trials(),
        ends::trials(),
        bad_input::trials(),
        nemesis::trials(),
        log::trials(),
        large::trials(),
        examples::trials(),
        systems::trials(),
        fuzz::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A scenario in a lab: its file, and its history.
struct Scene<'a> {
    lab: &'a Lab,
    file: PathBuf,
    history: PathBuf,
}

impl<'a> Scene<'a> {
    fn new(lab: &'a Lab, name: &str, text: &str) -> Self {
        let (file, history) = (lab.path(&format!("{name}.toml")), lab.path(&format!("{name}.history")));
        std::fs::write(&file, text).expect("a file can be written");
        Scene { lab, file, history }
    }

    /// `falseticker play`, with its history.
    fn command(&self, flags: &[&str]) -> Command {
        let command = self.lab.command(binary(), ["play"]).arg(&self.file).args(flags);
        // Whatever it leaves behind is found there.
        command.arg("--history").arg(&self.history).env("TMPDIR", self.lab.path(""))
    }

    #[track_caller]
    fn play(&self, flags: &[&str]) -> Done {
        self.command(flags).done()
    }

    /// The lines of its history, the header first.
    #[track_caller]
    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.history).expect("there is a history");
        let whole = text.lines().filter(|line| line.ends_with('}'));
        whole.map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect()
    }

    /// Those of one kind.
    #[track_caller]
    fn of(&self, event: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["event"] == event).collect()
    }
}

fn int(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// A step of the wall clock, as a target saw it (`tests/targets/moments.c`).
#[derive(Debug)]
struct Step {
    from: i64,
    until: i64,
    by: i64,
    off: i64,
}

/// What a target has seen.
fn steps(path: &std::path::Path) -> Vec<Step> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let read = |line: &str| {
        let words: Vec<i64> =
            line.strip_prefix("step ")?.split(' ').map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let [from, until, by, off] = words.try_into().ok()?;
        Some(Step { from, until, by, off })
    };
    text.lines().filter_map(read).collect()
}

/// Whether some step took place at this very instant, by about so much.
fn has_step(steps: &[Step], at: i64, by: i64) -> bool {
    steps.iter().any(|step| step.from < at && at <= step.until && (step.by - by).abs() < 40_000_000)
}
