//! What following costs: an exec, and a system call that has nothing to do with it.
//!
//! `cargo bench --bench follow`
//!
//! Children of this executable, bare and in a node each way, are asked in turn. A child starts `true` (dynamic, and linked
//! statically if there is a C compiler) and waits for it; or calls getppid. It is timed by CLOCK_MONOTONIC from a system call of its own.
//! Of a static program that is reached, the implant is part of the cost; a dynamic one is left to the shim, unless it is started
//! with `--reach vdso`.

mod support;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use falseticker::host_clock;

use support::again::{self, Timed};
use support::child::Answering;
use support::figures::Table;
use support::way::Way;
use support::{installed, nanos, only_lists};

/// The argument that makes this executable the child.
const CHILD: &str = "execute-and-call";
const ROUNDS: usize = 100;
/// What is timed, and how often in a round.
const THINGS: [(&str, u64); 3] = [("exec of `true`", 5), ("exec of a static `true`", 5), ("getppid", 20_000)];
const EXEC: u64 = 0;
const EXEC_STATIC: u64 = 1;

fn main() {
    if again::is_child(CHILD) {
        return child();
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    let fixed = static_true(folder.path().join("true"));
    let mut children: Vec<Executing> = ways().into_iter().map(|way| Executing::start(way, &fixed)).collect();
    again::by_criterion(
        again::criterion(10, 100, 400),
        &THINGS.map(|(name, _)| name.to_owned()),
        &mut children,
    );
    if !only_lists() {
        by_rounds(&mut children);
    }
}

fn ways() -> Vec<Way> {
    vec![
        Way::bare(),
        Way::falseticker("--reach preload: not followed", &["--reach", "preload"]),
        Way::falseticker("--reach auto: followed", &[]),
        Way::falseticker("--reach vdso: followed", &["--reach", "vdso"]),
    ]
}

/// The smallest program, linked statically.
fn static_true(path: PathBuf) -> Option<PathBuf> {
    installed("cc")?;
    let source = path.with_extension("c");
    std::fs::write(&source, "int main(void) { return 0; }\n").expect("it can be written");
    let built = Command::new("cc").args(["-static", "-O1", "-o"]).arg(&path).arg(&source).status();
    built.is_ok_and(|status| status.success()).then_some(path)
}

/// A child, and how it was started.
struct Executing {
    way: Way,
    child: Answering,
    has_static: bool,
}

impl Executing {
    fn start(way: Way, fixed: &Option<PathBuf>) -> Self {
        let this = std::env::current_exe().expect("this executable has a path");
        let mut command = way.command(this);
        command.arg(CHILD).args(fixed);
        let child = Answering::start(&mut command);
        Executing { way, child, has_static: fixed.is_some() }
    }
}

impl Timed for Executing {
    fn way(&self) -> &Way {
        &self.way
    }

    fn does(&self, thing: usize) -> bool {
        thing as u64 != EXEC_STATIC || self.has_static
    }

    fn time(&mut self, thing: usize, times: u64) -> f64 {
        nanos(self.child.numbers(&format!("{thing} {times}"))[0])
    }
}

fn child() {
    let fixed = std::env::args_os().nth(2);
    again::answer_each(|words| {
        let [thing, times] = words[..] else { panic!("asked {words:?}") };
        let begin = host_clock::monotonic();
        for _ in 0..times {
            match thing {
                EXEC => execute(Command::new("true")),
                EXEC_STATIC => execute(Command::new(fixed.as_ref().expect("it was built"))),
                _ => {
                    nix::unistd::getppid();
                }
            }
        }
        host_clock::monotonic().saturating_since(begin).as_nanos().to_string()
    });
}

fn execute(mut command: Command) {
    let status = command.stdin(Stdio::null()).status().expect("it starts");
    assert!(status.success(), "{command:?}: {status}");
}

fn by_rounds(children: &mut [Executing]) {
    let figures = again::by_rounds(ROUNDS, &THINGS.map(|(_, times)| times), children);
    let mut table = Table::new(
        format!("µs each, {ROUNDS} interleaved rounds"),
        &["what", "way", "median", "least", "more than bare (median)"],
    );
    for ((thing, number), measured) in &figures {
        let bare = &figures[&(*thing, 0)];
        table.row([
            THINGS[*thing].0.to_owned(),
            children[*number].way.name.to_owned(),
            format!("{:.3}", measured.median() / 1e3),
            format!("{:.3}", measured.least() / 1e3),
            format!("{:.3}", (measured.median() - bare.median()) / 1e3),
        ]);
    }
    table.print();
}
