//! Real programs, each bare and under the tool: jumped back an hour and forward while they run, with their monotonic clocks,
//! tickers and relative timeouts undisturbed.

mod etcd_cluster;
mod etcd_skewed;
mod interpreters;
mod pauses;
mod servers;
mod storage;
mod waits;

pub use waits::{TICKER, tick};

use std::io::{Read, Write};

use libtest_mimic::Trial;

use crate::harness::{Lab, eventually};

pub fn trials() -> Vec<Trial> {
    [
        interpreters::trials(),
        servers::trials(),
        storage::trials(),
        waits::trials(),
        pauses::trials(),
        etcd_skewed::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The host's wall clock, in seconds.
fn host_now() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    now.as_secs_f64()
}

/// How far a program's clock may seem off: what it takes to ask, and the whole seconds that most answer in.
const SLACK: f64 = 4.0;
const HOUR: f64 = 3600.0;

#[track_caller]
fn expect_off(what: &str, shown: f64, expected: f64) {
    let off = shown - host_now() - expected;
    assert!(
        off.abs() < SLACK,
        "{what}: the clock should be off by {expected} s, and is by {} s",
        off + expected
    );
}

/// Asks a program for its clock while it is bare, then under the tool while that is jumped there and back.
#[track_caller]
fn jumped_while_running(lab: &Lab, mut ask: impl FnMut() -> f64) {
    eventually("a true clock before any fault", || ((ask() - host_now()).abs() < SLACK).then_some(()));
    let mut expected = 0.0;
    for (by, seconds) in [("-1h", -HOUR), ("+2h", 2.0 * HOUR), ("-30m", -HOUR / 2.0)] {
        lab.fault(&["jump", "a", by]);
        expected += seconds;
        // Some programs cache their time for a moment.
        eventually(&format!("a clock that is off by {expected} s"), || {
            ((ask() - host_now() - expected).abs() < SLACK).then_some(())
        });
    }
}

/// The Date header of whatever a server answers.
fn http_date(mut stream: impl Read + Write) -> Option<f64> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let line = answer.lines().find_map(|line| line.strip_prefix("Date: "))?;
    let date = chrono::DateTime::parse_from_rfc2822(line.trim()).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
    let seconds = date.timestamp() as f64;
    Some(seconds)
}

/// A port on loopback that nobody has right now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it has an address").port()
}
