//! Traps: a thread is held right after it has read its clock, as long as was asked for and no longer, whatever dies.

mod connects;
mod ends;
mod leases;
mod picks;
mod threads;

use libtest_mimic::Trial;

use crate::harness::{Lab, Live, MILLISECOND, Spec, binary, spec};

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for libc in ["glibc", "musl"] {
        trials.extend(picks::trials(libc));
        trials.extend(threads::trials(libc));
        trials.extend(connects::trials(libc));
    }
    trials.extend(ends::trials());
    trials.push(leases::trial());
    trials
}

fn of(sentence: &str, libc: &str) -> Spec {
    let spec = spec(format!("traps: {sentence} ({libc})"));
    if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") }
}

/// A read that took longer than a read takes.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Which one of its command.
    number: u64,
    /// How long it took.
    length: i64,
    /// By how much its value is later than the truth was when it began.
    ahead: i64,
    errno: i32,
}

/// The target program that reads its clock when it is told to.
struct Reader {
    live: Live,
    pid: i32,
}

impl Reader {
    #[track_caller]
    fn start(lab: &Lab, libc: &str, flags: &[&str]) -> Self {
        let mut live = lab.run("a", flags, [lab.target("trapped").of(libc).path()]).live();
        let line = live.line_where(|line| line.starts_with("ready "));
        let pid = line.trim_start_matches("ready ").parse().expect("a pid");
        Reader { live, pid }
    }

    /// Gives a command and returns the lines that it answers.
    #[track_caller]
    fn ask(&mut self, command: &str) -> Vec<String> {
        self.live.say(command);
        self.answer()
    }

    /// The lines of a command that was given.
    #[track_caller]
    fn answer(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.live.line() {
                line if line == "done" => return lines,
                line => lines.push(line),
            }
        }
    }

    /// Gives a command that reads, and returns where it was held.
    #[track_caller]
    fn held(&mut self, command: &str) -> Vec<Held> {
        held_of(&self.ask(command))
    }
}

fn held_of(lines: &[String]) -> Vec<Held> {
    let held = lines.iter().filter_map(|line| line.strip_prefix("held "));
    held.map(|line| {
        let numbers: Vec<i64> = line.split(' ').map(|word| word.parse().expect("a number")).collect();
        let [number, length, ahead, errno] = numbers[..] else { panic!("{line:?}") };
        Held { number: number.unsigned_abs(), length, ahead, errno: i32::try_from(errno).expect("an errno") }
    })
    .collect()
}

/// What is held was held for as long as asked; later ends are the machine's, earlier ones are not.
#[track_caller]
fn expect_length(held: &[Held], asked_ms: i64) {
    for one in held {
        assert!(one.length >= asked_ms * MILLISECOND, "held too short for {asked_ms} ms: {one:?}");
        assert!(one.length < (asked_ms + 1_500) * MILLISECOND, "held too long for {asked_ms} ms: {one:?}");
    }
}

/// A trap in the foreground, once it is armed.
#[track_caller]
fn armed(lab: &Lab, flags: &[&str]) -> Live {
    let mut live = lab.bare_live(binary(), ["freeze", "a"].iter().chain(flags));
    live.line_where(|line| line.contains("armed"));
    live
}
