//! Connections: held until whoever waits for them has put the fault in force, and for a second at most.

use falseticker::trap::{Hold, On, Pick, Plan};
use falseticker::{HostInstant, Span, host_clock};
use libtest_mimic::Trial;

use super::{Reader, of};
use crate::harness::{Lab, MILLISECOND, SECOND, binary};

pub fn trials(libc: &'static str) -> Vec<Trial> {
    vec![
        of("a connection waits for its fault, and goes on as it would have", libc)
            .shown_by(move |lab| waits(lab, libc)),
        of("--on-connect: a clock fault or a freeze is in force before the connection goes on", libc)
            .shown_by(move |lab| triggers(lab, libc)),
        of("it does not wait for longer than a second, nor for another port", libc)
            .shown_by(move |lab| not_for_ever(lab, libc)),
    ]
}

fn plan(port: u16, count: u32) -> Plan {
    Plan { on: On::Connect(port), pick: Pick::Nth(1), count, hold: Hold::Briefly }
}

/// A connection: how long it took, and what came of it.
fn connections(lines: &[String]) -> Vec<(i64, String)> {
    let connects = lines.iter().filter_map(|line| line.strip_prefix("connect "));
    let parse = |line: &str| {
        let mut words = line.splitn(4, ' ');
        let took = words.nth(1).and_then(|word| word.parse().ok()).expect("a length");
        (took, words.next().into_iter().chain(words.next()).collect::<Vec<_>>().join(" "))
    };
    connects.map(parse).collect()
}

fn waits(lab: &Lab, libc: &str) {
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port of this machine");
    let port = server.local_addr().expect("it is bound").port();
    let mut reader = Reader::start(lab, libc, &[]);
    let bare = reader.ask(&format!("connect {port}"));
    let results = |lines: &[String]| connections(lines).into_iter().map(|(_, what)| what).collect::<Vec<_>>();
    // By IPv4, by IPv6 (where nobody listens), and by syscall().
    let mut trap = lab.node("a").trap(&plan(port, 3)).expect("it can be armed");
    reader.live.say(&format!("connect {port}"));
    // Before and after each release: one that comes too late for a connection lets go of the next.
    let mut releases = Vec::new();
    for _ in 0..3 {
        let firing = trap.wait_for_next(Span::from_secs(20)).expect("a connection");
        assert_eq!(firing.pid, reader.pid);
        let by_itself = |ended: HostInstant| {
            ended < firing.until
                && !releases.iter().any(|(before, after)| *before <= ended && *after >= firing.at)
        };
        assert!(!firing.ended.is_some_and(by_itself), "{firing:?} went on by itself; {releases:?}");
        let before = host_clock::monotonic();
        trap.release();
        releases.push((before, host_clock::monotonic()));
    }
    let held = reader.answer();
    assert_eq!(results(&held), results(&bare));
    assert_eq!(held.last(), bare.last(), "a bad address is refused as ever");
    assert!(!trap.is_armed());
    assert!(results(&held)[0].starts_with("0 "), "it has connected: {held:?}");
    drop(trap);
    assert_eq!(results(&reader.ask(&format!("connect {port}"))), results(&bare));
    reader.live.finish();
}

fn triggers(lab: &Lab, libc: &str) {
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port of this machine");
    let port = server.local_addr().expect("it is bound").port().to_string();
    let mut reader = Reader::start(lab, libc, &[]);
    let waiting = |flags: &[&str]| {
        let mut live = lab.bare_live(binary(), [flags, &["--on-connect", &port]].concat());
        live.line_where(|line| line.contains("waiting for a connection"));
        live
    };
    // A connection is held for a second at most: on a machine that takes longer for a fault, once more.
    let mut jumped = || {
        let mut jump = waiting(&["jump", "a", "-1h"]);
        let lines = reader.ask(&format!("connect {port}"));
        assert_eq!(jump.end(), 0);
        if connections(&lines)[0].0 < 1_000 * MILLISECOND {
            return Some(lines);
        }
        lab.falseticker(["heal", "a"]).expect_code(0);
        None
    };
    let lines = (0..5).find_map(|_| jumped()).expect("a fault in force within a second, of five");
    let skews: Vec<i64> = lines.iter().filter_map(|line| line.strip_prefix("skew ")?.parse().ok()).collect();
    assert!(skews.len() == 3 && skews.iter().all(|skew| (skew + 3600 * SECOND).abs() < SECOND), "{lines:?}");
    let mut freeze = waiting(&["freeze", "a", "--for", "400ms"]);
    let lines = reader.ask(&format!("connect {port}"));
    assert_eq!(freeze.end(), 0);
    assert!(connections(&lines)[0].0 >= 400 * MILLISECOND, "it was not frozen: {lines:?}");
    // Its end lets the connection go, and says why nothing was done.
    let mut interrupted = waiting(&["jump", "a", "-1h"]);
    interrupted.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(interrupted.end(), 130);
    assert!(lab.status("a")["trap"].is_null());
    let mut ended = waiting(&["jump", "a", "-1h"]);
    lab.falseticker(["thaw", "a"]).expect_code(0);
    assert_eq!(ended.end(), 3);
    lab.falseticker(["jump", "a", "-1h", "--on-connect", "0"]).expect_code(2);
    lab.falseticker(["jump", "a", "-1h", "--on-connect", "70000"]).expect_code(2);
    let mut in_vain = waiting(&["jump", "a", "-1h"]);
    reader.live.finish();
    assert_eq!(in_vain.end(), 3);
}

fn not_for_ever(lab: &Lab, libc: &str) {
    let mut reader = Reader::start(lab, libc, &[]);
    let trap = lab.node("a").trap(&plan(9, 1_000)).expect("it can be armed");
    for (took, what) in connections(&reader.ask("connect 9")) {
        assert!(took >= 1_000 * MILLISECOND, "{what} after {took} ns");
        assert!(took < 3 * SECOND, "{what} after {took} ns");
    }
    assert_eq!(trap.counts().fired, 3);
    for (took, what) in connections(&reader.ask("connect 10")) {
        assert!(took < 900 * MILLISECOND, "{what} to another port after {took} ns");
    }
    assert_eq!(trap.counts().reads, 3, "connections to other ports are not counted");
    drop(trap);
    reader.live.finish();
}
