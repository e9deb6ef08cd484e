//! Real servers that are attached while they are under load, jumped, and detached, without a request that fails.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{attach, detach, sweep};
use crate::harness::{Lab, Live, count_of, eventually, spec};

const JAVA: &str = "/usr/lib/jvm/java-17-openjdk-amd64/bin/java";
const SLACK: f64 = 4.0;
const HOUR: f64 = 3600.0;

/// Answers lines with the wall clock, while threads compute, allocate and read it.
const SERVER: &str = r#"
public class Server { static volatile long kept; public static void main(String[] a) throws Exception {
  for (int i = 0; i < 4; i++) { var t = new Thread(() -> { long last = System.nanoTime(); for (;;) {
      long now = System.nanoTime(); if (now < last) { System.out.println("backward"); System.exit(1); } last = now;
      kept += System.currentTimeMillis() + new byte[1024].length; } }); t.setDaemon(true); t.start(); }
  var in = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
  while (in.readLine() != null) System.out.println("now " + System.currentTimeMillis()); } }
"#;

pub fn trials() -> Vec<Trial> {
    vec![
        spec("attach: redis-server is attached under load, jumped and detached, and no request fails")
            .needs("redis-server", "redis-server")
            .needs("redis-benchmark", "redis-tools")
            .shown_by(redis),
        spec("attach: java is attached under load, jumped and detached, and answers throughout")
            .needs(JAVA, "openjdk-17-jdk-headless")
            .shown_by(java),
    ]
}

fn host_now() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    now.as_secs_f64()
}

/// Attached, jumped there and back, detached, twice, while somebody asks it for its clock.
#[track_caller]
fn steered(lab: &Lab, pid: i32, mut now: impl FnMut() -> f64) {
    let mut expect = |what: &str, off: f64| {
        eventually(what, || ((now() - host_now() - off).abs() < SLACK).then_some(()));
    };
    expect("the truth", 0.0);
    for _ in 0..2 {
        attach(lab, "a", pid);
        expect("the truth in a node without faults", 0.0);
        lab.fault(&["jump", "a", "-1h"]);
        expect("an hour ago", -HOUR);
        lab.fault(&["jump", "a", "+3h"]);
        expect("in two hours", 2.0 * HOUR);
        detach(lab, pid);
        expect("the truth again", 0.0);
        // The node goes with its last process.
        sweep(lab);
    }
}

fn redis(lab: &Lab) {
    let socket = lab.path("redis.sock").display().to_string();
    let folder = lab.path("").display().to_string();
    let words = ["--port", "0", "--unixsocket", &socket, "--save", "", "--dir", &folder];
    let server = lab.bare_live("redis-server", words);
    let cli = |words: &[&str]| lab.command("redis-cli", ["-s", &socket]).args(words).done();
    eventually("redis answers", || (cli(&["ping"]).text() == "PONG").then_some(()));
    let requests = count_of("FALSETICKER_REQUESTS", 100_000).to_string();
    // A client that loses a reply says so, and the benchmark fails.
    let words = ["-s", &socket, "-q", "-n", &requests, "-P", "4", "-l", "-t", "get,set"];
    let mut load = lab.command("redis-benchmark", words).live();
    steered(lab, server.pid(), || {
        cli(&["time"]).stdout.lines().next().and_then(|line| line.parse().ok()).unwrap_or(0.0)
    });
    assert!(!load.has_ended(), "the load has ended: {}", load.transcript().report());
    load.signal(Signal::SIGKILL);
    let report = load.whole();
    assert!(!report.contains("rror"), "{report}");
    let stats = cli(&["info", "stats"]);
    let served = stats.stdout.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
    assert!(
        served.and_then(|count| count.trim().parse::<u64>().ok()).is_some_and(|count| count > 1000),
        "{}",
        stats.report()
    );
    let errors = stats.stdout.lines().find_map(|line| line.strip_prefix("total_error_replies:"));
    assert_eq!(errors.map(str::trim), Some("0"));
    end(server, Signal::SIGTERM);
}

fn java(lab: &Lab) {
    let source = lab.path("Server.java");
    std::fs::write(&source, SERVER).expect("the lab has room");
    let mut live = lab.bare_live(JAVA, ["-Xmx64m", "-XX:+UseSerialGC", source.to_str().expect("a path")]);
    let pid = live.pid();
    steered(lab, pid, || {
        live.say("");
        let line = live.line();
        let millis: f64 = line
            .strip_prefix("now ")
            .and_then(|now| now.parse().ok())
            .unwrap_or_else(|| panic!("it says {line:?}"));
        millis / 1000.0
    });
    assert_eq!(live.finish(), 0);
}

fn end(mut live: Live, signal: Signal) {
    live.signal(signal);
    live.end();
}
