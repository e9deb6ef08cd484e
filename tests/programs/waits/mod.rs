//! Programs that wait and tick: each tells of its ticks beside itself bare, and of the processor's time that both take. A shim
//! that is off by a constant in its waits makes them return at once, over and over, or never.
//!
//! Under live jumps a step of a real machine's clock is the measure: who waits for an instant of the wall clock waits an hour
//! longer when it is stepped back an hour, and is woken at once when it is stepped past. Whoever counts the monotonic clock
//! notices nothing, unless that runs faster or slower itself.

mod rates;
mod redis;
mod rust;
mod servers;
mod suspended;
mod ticker;
mod zookeeper;

use libtest_mimic::Trial;

use super::interpreters::OPENJDK_17;
use crate::harness::{Lab, source, spec};
pub use rust::{TICKER, tick};
use ticker::ticks_on;

pub const JAVAC: &str = "/usr/lib/jvm/java-17-openjdk-amd64/bin/javac";

/// A program that ticks.
#[derive(Clone)]
pub struct Program {
    name: &'static str,
    /// Programs and the Debian packages that have them.
    needs: &'static [(&'static str, &'static str)],
    /// Whether it waits through libc; Go makes its system calls itself, by the machine's clock.
    by_libc: bool,
    /// Makes it, if it must be made, and says how it is run.
    words: fn(&Lab) -> Vec<String>,
}

const PROGRAMS: [Program; 7] = [
    Program {
        name: "java 17 (ScheduledExecutor, Timer, parkUntil, awaitUntil)",
        needs: &[(JAVAC, "openjdk-17-jdk-headless")],
        by_libc: true,
        words: java,
    },
    Program {
        name: "node (setInterval, setTimeout, Atomics.wait)",
        needs: &[("node", "nodejs")],
        by_libc: true,
        words: |_| vec!["node".to_owned(), file("ticks.js")],
    },
    Program {
        name: "python3 (sleep, Condition.wait, queue.get, asyncio)",
        needs: &[("/usr/bin/python3", "python3")],
        by_libc: true,
        words: |_| vec!["/usr/bin/python3".to_owned(), file("ticks.py")],
    },
    Program {
        name: "Erlang (send_interval, send_after, receive)",
        needs: &[("escript", "erlang-base")],
        by_libc: true,
        words: |_| vec!["escript".to_owned(), file("ticks.escript")],
    },
    Program {
        name: "a Go program (Sleep, Ticker, context)",
        needs: &[("go", "golang-go")],
        by_libc: false,
        words: go,
    },
    Program {
        name: "a Rust program (Condvar, channel, park, sleep, Tokio's timers)",
        needs: &[],
        by_libc: true,
        words: |_| {
            let this = std::env::current_exe().expect("this executable has a path");
            vec![this.to_string_lossy().into_owned(), TICKER.to_owned()]
        },
    },
    Program {
        name: "a C++ program (condition_variable, mutexes, future, semaphore)",
        needs: &[("g++", "g++")],
        by_libc: true,
        words: |lab| vec![lab.target("ticks").cplusplus().path().to_string_lossy().into_owned()],
    },
];

pub fn trials() -> Vec<Trial> {
    let under_jumps = |program: Program| {
        let sentence =
            format!("waits: {} ticks on under live jumps, at the CPU use that it has bare", program.name);
        let spec =
            program.needs.iter().fold(spec(sentence), |spec, (path, package)| spec.needs(path, package));
        spec.shown_by(move |lab| ticks_on(lab, &(program.words)(lab)))
    };
    let by_libc = PROGRAMS.into_iter().filter(|program| program.by_libc);
    let trials = PROGRAMS.map(under_jumps).into_iter().chain(rates::trials(by_libc));
    let trials = trials.chain(suspended::trials(PROGRAMS.into_iter()));
    trials.chain(redis::trials()).chain(servers::trials()).chain(zookeeper::trials()).collect()
}

fn file(name: &str) -> String {
    source(name).to_string_lossy().into_owned()
}

fn java(lab: &Lab) -> Vec<String> {
    let classes = lab.path("classes");
    let classes = classes.to_str().expect("a path");
    let sources = source("Ticks.java");
    lab.command(JAVAC, ["-d", classes, sources.to_str().expect("a path")]).done().expect_code(0);
    let words = [OPENJDK_17, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classes, "Ticks"];
    words.map(str::to_owned).to_vec()
}

fn go(lab: &Lab) -> Vec<String> {
    let program = lab.path("ticks");
    let program = program.to_str().expect("a path");
    let build = lab.command("go", ["build", "-o", program]).arg(source("ticks.go")).env("CGO_ENABLED", "1");
    build.env("GOCACHE", lab.path("cache")).env("GOFLAGS", "-mod=mod").done().expect_code(0);
    vec![program.to_owned()]
}
