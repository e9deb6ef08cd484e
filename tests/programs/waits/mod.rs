//! Programs that wait and tick, under live jumps: each tells of its ticks beside itself bare, and of the processor's time that
//! both take. A shim that is off by a constant in its waits makes them return at once, over and over, or never.
//!
//! A step of a real machine's clock is the measure: who waits for an instant of the wall clock waits an hour longer when it is
//! stepped back an hour, and is woken at once when it is stepped past. Whoever counts the monotonic clock notices nothing.

mod redis;
mod rust;
mod ticker;
mod zookeeper;

use libtest_mimic::Trial;

use super::interpreters::OPENJDK_17;
use crate::harness::{Lab, source, spec};
pub use rust::{TICKER, tick};
use ticker::ticks_on;

const JAVAC: &str = "/usr/lib/jvm/java-17-openjdk-amd64/bin/javac";

pub fn trials() -> Vec<Trial> {
    let of = |name: &str| {
        spec(format!("waits: {name} ticks on under live jumps, at the CPU use that it has bare"))
    };
    let file = |name: &str| source(name).to_string_lossy().into_owned();
    vec![
        of("java 17 (ScheduledExecutor, Timer, parkUntil, awaitUntil)")
            .needs(JAVAC, "openjdk-17-jdk-headless")
            .shown_by(java),
        of("node (setInterval, setTimeout, Atomics.wait)")
            .needs("node", "nodejs")
            .shown_by(move |lab| ticks_on(lab, &["node", &file("ticks.js")])),
        of("python3 (sleep, Condition.wait, queue.get, asyncio)")
            .needs("/usr/bin/python3", "python3")
            .shown_by(move |lab| ticks_on(lab, &["/usr/bin/python3", &file("ticks.py")])),
        of("Erlang (send_interval, send_after, receive)")
            .needs("escript", "erlang-base")
            .shown_by(move |lab| ticks_on(lab, &["escript", &file("ticks.escript")])),
        of("a Go program (Sleep, Ticker, context)").needs("go", "golang-go").shown_by(go),
        of("a Rust program (Condvar, channel, park, sleep, Tokio's timers)").shown_by(|lab| {
            let this = std::env::current_exe().expect("this executable has a path");
            ticks_on(lab, &[&this.to_string_lossy(), TICKER]);
        }),
        of("a C++ program (condition_variable, mutexes, future, semaphore)").needs("g++", "g++").shown_by(
            |lab| {
                let target = lab.target("ticks").cplusplus();
                ticks_on(lab, &[&target.path().to_string_lossy()]);
            },
        ),
    ]
    .into_iter()
    .chain(redis::trials())
    .chain(zookeeper::trials())
    .collect()
}

fn java(lab: &Lab) {
    let classes = lab.path("classes");
    let classes = classes.to_str().expect("a path");
    let sources = source("Ticks.java");
    lab.command(JAVAC, ["-d", classes, sources.to_str().expect("a path")]).done().expect_code(0);
    ticks_on(lab, &[OPENJDK_17, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classes, "Ticks"]);
}

fn go(lab: &Lab) {
    let program = lab.path("ticks");
    let program = program.to_str().expect("a path");
    let build = lab.command("go", ["build", "-o", program]).arg(source("ticks.go")).env("CGO_ENABLED", "1");
    build.env("GOCACHE", lab.path("cache")).env("GOFLAGS", "-mod=mod").done().expect_code(0);
    ticks_on(lab, &[program]);
}
