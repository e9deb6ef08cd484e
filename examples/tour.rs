//! A first look: one unmodified program prints its time while its clock is jumped, drifted, healed, and while it is frozen
//! and thawed; at the end, what proves that each fault reached it.
//!
//! `cargo run --release --example tour`
//!
//! The program is coreutils' `date`, which reads lines such as "now" and prints the time for each (`date -f -`).

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use falseticker::fault::{Clocks, Drift, Jump};
use falseticker::node::Status;
use falseticker::{Heal, Node, Rate, Result, Span, host_clock};
use nix::pty::openpty;

fn main() -> Result<()> {
    let node = Node::create(&format!("tour-{}", std::process::id()))?;
    let mut date = Date::start(&node);
    println!("{:<24}{:<24}what `date` prints", "", "the machine's clock");
    date.show("nothing in force");
    date.show("");

    let jump = node.fault(Jump { by: Span::from_secs(-3600) }, Clocks::Wall, None)?;
    host_clock::sleep_until(jump.at);
    date.show("jump -1h");
    date.show("");
    let answer = node.wait_until_read(&jump, Span::from_secs(1))?;
    assert!(answer.is_yes(), "the running program has read its clock under the jump");

    let drift = node.fault(Drift { rate: Rate::from_parts(1 << 32) }, Clocks::Wall, None)?;
    host_clock::sleep_until(drift.at);
    date.show("drift 2x");
    date.show("");
    date.show("");

    let frozen = node.freeze(&Default::default())?;
    date.ask();
    println!("{:<24}{:<24}(no answer: it stands still)", "freeze", now());
    host_clock::sleep(Span::from_secs(1));
    frozen.thaw()?;
    let answer = date.answer();
    println!("{:<24}{:<24}{answer}", "thaw, a second later", now());
    host_clock::sleep(Span::from_millis(300));

    if let Some(heal) = node.heal(Heal::Step)? {
        host_clock::sleep_until(heal.at);
    }
    date.show("heal");

    print_evidence(&falseticker::node::status(&node)?);
    date.stop();
    Ok(())
}

fn print_evidence(status: &Status) {
    println!("\nevidence, by the program's own marks:");
    for process in &status.processes {
        for mark in &process.evidence {
            let change = status.changes.iter().find(|change| change.id == mark.change);
            let what = change.map_or("", |change| &change.fault);
            #[expect(clippy::cast_precision_loss, reason = "for people to read")]
            let latency = mark.latency_ns as f64 / 1e6;
            println!(
                "  pid {} ({}) first read its clock {latency:.3} ms after \"{what}\"",
                process.pid, process.command
            );
        }
    }
}

/// The machine's own time, as the program would print it.
fn now() -> String {
    let now = chrono::DateTime::from_timestamp_nanos(host_clock::realtime()).with_timezone(&chrono::Local);
    now.format("%T%.3f").to_string()
}

/// `date`, asked for the time once in a while.
struct Date {
    process: Child,
    answers: BufReader<File>,
}

impl Date {
    fn start(node: &Node) -> Self {
        // A terminal of its own: to a pipe, `date` would print only when it has a bufferful.
        let terminal = openpty(None, None).expect("a machine has terminals to give");
        let mut command: Command = node.command("date");
        command.args(["-f", "-", "+%T.%3N"]).stdin(Stdio::piped()).stdout(terminal.slave);
        let process = command.spawn().expect("coreutils' date is on every Linux");
        let answers = BufReader::new(File::from(terminal.master));
        Date { process, answers }
    }

    fn ask(&mut self) {
        let questions = self.process.stdin.as_mut().expect("its input is a pipe");
        questions.write_all(b"now\n").expect("date reads its input");
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("date prints the time");
        line.trim_end().to_owned()
    }

    fn show(&mut self, what: &str) {
        self.ask();
        let answer = self.answer();
        println!("{what:<24}{:<24}{answer}", now());
        host_clock::sleep(Span::from_millis(300));
    }

    fn stop(mut self) {
        drop(self.process.stdin.take());
        self.process.wait().expect("date ends with its input");
    }
}
