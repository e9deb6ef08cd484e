//! Suspends: a node as a virtual machine that is stopped and goes on later.
//!
//! Lengths are short; `FALSETICKER_SUSPEND_MS=5000` makes them five seconds.

mod ends;

use falseticker::node::status;
use falseticker::{Clock, HostInstant, NodeInstant, Span, host_clock};
use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{Lab, Live, MILLISECOND, SECOND, binary, count_of, eventually, mono, spec, state_of};
use crate::waits;
use crate::waits::waiter::{BOOTTIME, Row, Waiter};

/// How much of a suspend a monotonic clock may count.
const COUNTED: i64 = 50 * MILLISECOND;
/// How often that is asked of a machine that may be late itself.
const ATTEMPTS: i64 = 5;
/// How late a machine that others use may be.
const LATE: i64 = 400 * MILLISECOND;
/// What clocks are rounded by where they are read by different ways.
const ROUNDING: i64 = 1_000;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for libc in ["glibc", "musl"] {
        let of = |sentence: &str| {
            let spec = spec(format!("suspend: {sentence} ({libc})"));
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") }
        };
        trials.extend([
            of("the monotonic clocks do not count it, the boot clock does")
                .shown_by(move |lab| clocks(lab, libc)),
            of("what is left of every wait and timer is what is left afterwards")
                .shown_by(move |lab| remainders(lab, libc)),
        ]);
    }
    let of = |sentence: &str| spec(format!("suspend: {sentence}")).needs("cc", "gcc");
    trials.extend([
        of("the wall clock wakes stale, and stays so").shown_by(stale),
        of("the wall clock is corrected by a step").shown_by(stepped),
        of("the wall clock is corrected by a slew").shown_by(slewed),
        of("a drift goes on afterwards, and the correction makes up for it").shown_by(drifting),
        of("a timer that nobody reads is told").shown_by(unread),
        of("whoever looks at its pause sees the suspend").shown_by(seen_whole),
        of("a node without --monotonic is refused before anything happens").shown_by(not_monotonic),
        of("what cannot be meant or done is refused before anything happens").shown_by(refused),
        of("faults compose with it, or are refused").shown_by(composed),
    ]);
    trials.extend(ends::trials(of));
    trials
}

fn length() -> Span {
    Span::from_millis(i64::try_from(count_of("FALSETICKER_SUSPEND_MS", 1000)).expect("a length"))
}

fn text(span: Span) -> String {
    format!("{}ms", span.as_nanos() / MILLISECOND)
}

fn watch(lab: &Lab, libc: &str, flags: &[&str]) -> Live {
    let flags: Vec<&str> = ["--monotonic"].iter().chain(flags).copied().collect();
    let program = lab.target("suspend").of(libc).path();
    let mut live = lab.run("a", &flags, [program.as_os_str(), "watch".as_ref()]).live();
    live.line_where(|line| line == "begun");
    live
}

/// What a watched program saw go by of each clock while it was suspended.
#[derive(Debug)]
struct Woke {
    mono: i64,
    raw: i64,
    coarse: i64,
    boot: i64,
    wall: i64,
    host: i64,
}

#[track_caller]
fn woke(live: &mut Live) -> Woke {
    let line = live.line_where(|line| line.starts_with("woke"));
    let numbers: Vec<i64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [mono, raw, coarse, boot, wall, host] = numbers[..] else { panic!("it says {line:?}") };
    Woke { mono, raw, coarse, boot, wall, host }
}

#[track_caller]
fn number(json: &Value, field: &str) -> i64 {
    json.pointer(field).and_then(Value::as_i64).unwrap_or_else(|| panic!("no {field} in {json}"))
}

#[track_caller]
fn suspend(lab: &Lab, flags: &[&str]) -> Value {
    let length = text(length());
    let begin = ["suspend", "a", "--for", &length];
    lab.fault_json(&begin.iter().chain(flags).copied().collect::<Vec<_>>())
}

/// By how much the node's clocks are off, by what the schedules say.
fn offsets(lab: &Lab) -> [i64; 3] {
    let status = lab.status("a");
    ["wall", "mono", "boot"].map(|clock| number(&status, &format!("/clocks/{clock}/offset_ns")))
}

#[track_caller]
fn near(what: &str, is: i64, should: i64) {
    assert!((is - should).abs() <= MILLISECOND, "{what} is {is} ns, and should be {should} ns");
}

fn clocks(lab: &Lab, libc: &str) {
    let mut live = watch(lab, libc, &[]);
    let length = length().as_nanos();
    // A machine that is late itself is asked again.
    let is_right = (1..=ATTEMPTS).any(|attempt| {
        let said = suspend(lab, &[]);
        let woke = woke(&mut live);
        let (ran_on, counted) = (number(&said, "/ran_on_ns"), number(&said, "/counted_ns"));
        eprintln!("{libc}: {woke:?}; {ran_on} ns before the processes, {counted} ns after them");
        for clock in [woke.mono, woke.raw, woke.coarse, woke.wall] {
            assert!((0..LATE).contains(&clock), "{woke:?}");
        }
        assert!((length - ran_on..length + counted + LATE).contains(&woke.boot), "{woke:?}");
        near("what the boot clock counts", woke.boot, woke.host);
        near("what the monotonic clock is off then", offsets(lab)[1], -length * attempt);
        let (until, resumed) = (number(&said, "/until_ns"), number(&said, "/freeze/thawed/first_resumed_ns"));
        assert!(resumed >= until, "thawed before the clocks ran on");
        assert_eq!(said["unfollowed"], serde_json::json!([]));
        [woke.mono, woke.raw].iter().all(|clock| *clock < COUNTED)
    });
    assert!(is_right, "in {ATTEMPTS} attempts the monotonic clock counted more than {COUNTED} ns");
    assert_eq!(live.finish(), 0);
}

fn remainders(lab: &Lab, libc: &str) {
    let target = lab.target("waits").of(libc).path();
    let mut waiter =
        Waiter::new(lab.run("a", &["--monotonic"], [target.as_os_str(), "patient".as_ref()]).live());
    waiter.go(2 * SECOND);
    waiter.all_wait();
    let since = mono();
    host_clock::sleep_until(HostInstant::from_nanos(since + SECOND));
    let said = suspend(lab, &[]);
    assert_eq!(said["unfollowed"], serde_json::json!([]));
    let (at, until) = (number(&said, "/at_ns"), number(&said, "/until_ns"));
    let rows = waiter.rows();
    let node = lab.node("a");
    let mut report = String::new();
    for row in &rows {
        let due = waits::end(&node, row).as_nanos();
        let expected = if (at..until).contains(&due) { until } else { due };
        let late = row.after.map(|after| after - expected);
        let is_right = late.is_some_and(|late| (-ROUNDING..LATE).contains(&late)) && is_right(row);
        if !is_right {
            report += &format!("{}: {late:?} ns late, {row:?}\n", row.name);
        }
        let left = due - until;
        assert!(
            row.clock == BOOTTIME || left > 0,
            "{}: only {left} ns are left, the test is too slow",
            row.name
        );
    }
    let latest =
        rows.iter().filter_map(|row| Some(row.after? - waits::end(&node, row).as_nanos().max(until))).max();
    eprintln!("{libc}: {} calls, the latest {latest:?} ns late", rows.len());
    assert!(report.is_empty(), "suspended from {at} until {until}\n{report}");
    assert!(rows.len() >= if libc == "musl" { 89 } else { 107 }, "only {} calls", rows.len());
    waiter.quit();
}

/// Whether it ended as it should, apart from when: with its usual result, by its clock not before its time, and after no more
/// expiries than there were.
fn is_right(row: &Row) -> bool {
    let expiries = if row.every > 0 { row.expiries() } else { i64::MAX };
    [0, i64::from(nix::libc::ETIMEDOUT)].contains(&row.result)
        && row.shown >= row.deadline
        && row.count <= expiries
}

/// How far the wall clock of a node is off at an instant, by its schedule; the probe has shown that programs go by that.
#[track_caller]
fn wall_at(lab: &Lab, at: i64) -> i64 {
    let mut probe = lab.probe_in_node("a", &lab.target("probe"));
    let reading = probe.wall_after(at);
    probe.quit();
    let off = reading.skew;
    assert!(reading.mono >= at, "it was read too soon");
    off
}

fn stale(lab: &Lab) {
    let mut live = watch(lab, "glibc", &["--jump", "-1h"]);
    let said = suspend(lab, &["--wall", "stale"]);
    woke(&mut live);
    assert!(said["correction"].is_null());
    let off = -3600 * SECOND - length().as_nanos();
    near("the wall clock", wall_at(lab, mono() + SECOND / 4), off);
    near("the wall clock", offsets(lab)[0], off);
    assert_eq!(live.finish(), 0);
}

fn stepped(lab: &Lab) {
    let mut live = watch(lab, "glibc", &[]);
    let length = length().as_nanos();
    let said = suspend(lab, &["--wall", "corrected"]);
    let at_once = woke(&mut live);
    near("what the wall clock counts", at_once.wall, at_once.mono + length);
    assert_eq!(number(&said, "/correction/at_ns"), number(&said, "/until_ns"));
    near("the correction", number(&said, "/correction/by_ns"), length);
    near("the wall clock", wall_at(lab, mono()), 0);
    let said = suspend(lab, &["--after", "700ms"]);
    let later = woke(&mut live);
    near("what the wall clock counts", later.wall, later.mono);
    let at = number(&said, "/correction/at_ns");
    assert_eq!(at - number(&said, "/until_ns"), 700 * MILLISECOND);
    let before = lab.status("a");
    if number(&before, "/now_ns") < at {
        near("the wall clock", number(&before, "/clocks/wall/offset_ns"), -length);
    }
    near("the wall clock", wall_at(lab, at), 0);
    near("the monotonic clock", offsets(lab)[1], -2 * length);
    assert_eq!(live.finish(), 0);
}

fn slewed(lab: &Lab) {
    let mut live = watch(lab, "glibc", &[]);
    let said = suspend(lab, &["--after", "100ms", "--slew", "50%"]);
    woke(&mut live);
    let length = length().as_nanos();
    let (at, until) = (number(&said, "/correction/at_ns"), number(&said, "/correction/until_ns"));
    near("the slew's length", until - at, 2 * length);
    let mut probe = lab.probe_in_node("a", &lab.target("probe"));
    for step in 1..8 {
        let when = at + (until - at) / 8 * step;
        let reading = probe.wall_after(when);
        let expected = -length + (reading.mono - at) / 2;
        assert!(
            (reading.skew - expected.min(0)).abs() <= MILLISECOND + reading.width,
            "{reading:?}: not {expected}"
        );
    }
    probe.wall_after(until).expect_skew(0);
    probe.quit();
    assert_eq!(live.finish(), 0);
}

fn drifting(lab: &Lab) {
    let mut live = watch(lab, "glibc", &["--drift", "2x"]);
    let node = lab.node("a");
    let shown = |at: i64| {
        // Where the old course would have it: twice as fast as the host since the node was made.
        let reached = node.reaches(Clock::Wall, NodeInstant::from_nanos(at), HostInstant::MIN);
        reached.expect("the schedule can be read").expect("the clock gets there").as_nanos()
    };
    let target = host_clock::realtime() + 20 * SECOND;
    let before = shown(target);
    let said = suspend(lab, &["--wall", "corrected"]);
    woke(&mut live);
    near("what the wall clock lost", number(&said, "/correction/by_ns"), 2 * length().as_nanos());
    near("when the clock shows an instant", shown(target), before);
    near("the monotonic clock", offsets(lab)[1], -length().as_nanos());
    let status = lab.status("a");
    assert_eq!(status["clocks"]["wall"]["rate_ppm"], 1e6);
    assert_eq!(live.finish(), 0);
}

/// A command in the foreground, once the node is frozen by it.
fn foreground(lab: &Lab, flags: &[&str]) -> (Live, Value) {
    let begin = ["suspend", "a"];
    let live = lab.bare_live(binary(), begin.iter().chain(flags).copied().collect::<Vec<_>>());
    let status = lab.status_until("a", "the suspend", |status| {
        (!status["frozen"]["since_ns"].is_null()).then(|| status.clone())
    });
    (live, status)
}

fn unread(lab: &Lab) {
    let program = lab.target("suspend").path();
    let mut live = lab.run("a", &["--monotonic"], [program.as_os_str(), "unread".as_ref()]).live();
    live.line_where(|line| line == "begun");
    host_clock::sleep(Span::from_millis(50));
    let said = suspend(lab, &[]);
    let pid = number(&lab.status("a"), "/processes/0/pid");
    assert_eq!(number(&said, "/unfollowed/0/pid"), pid);
    assert_eq!(live.finish(), 0);
}

fn seen_whole(lab: &Lab) {
    let mut live = watch(lab, "glibc", &[]);
    let node = lab.node("a");
    let mut looks = 0;
    for _ in 0..20 {
        let mut command = lab.bare_live(binary(), ["suspend", "a", "--for", "20ms"]);
        while !command.has_ended() {
            let status = status(&node).expect("it can be looked at");
            let Some(frozen) = status.frozen.filter(|frozen| frozen.since_ns.is_some()) else { continue };
            looks += 1;
            assert!(
                status.changes.iter().any(|change| change.until_ns == frozen.until_ns),
                "look {looks}: {frozen:?} belongs to none of {:?}",
                status.changes
            );
        }
        assert_eq!(command.end(), 0);
    }
    eprintln!("{looks} looks at pauses of 20 suspends");
    assert!(looks > 0);
    assert_eq!(live.finish(), 0);
}

fn not_monotonic(lab: &Lab) {
    let mut probe = lab.probe("a", &[], &lab.target("probe"));
    lab.falseticker(["suspend", "a", "--for", "1s"]).expect_code(2).expect_error("--monotonic");
    assert_eq!(lab.status("a")["changes"], serde_json::json!([]));
    probe.wall().expect_skew(0);
    probe.quit();
}

fn refused(lab: &Lab) {
    let mut live = watch(lab, "glibc", &[]);
    for flags in [
        &["--for", "0s"] as &[&str],
        &["--for", "-1s"],
        &["--for", "5"],
        &[],
        &["--for", "1s", "--wall", "stale", "--after", "1s"],
        &["--for", "1s", "--after", "-1s"],
        &["--for", "1s", "--slew", "1x"],
        &["--for", "1s", "--slew", "2000x"],
        &["--for", "1s", "--wall", "forward"],
    ] {
        let words = ["suspend", "a"].iter().chain(flags).copied().collect::<Vec<_>>();
        lab.falseticker(words).expect_code(2);
    }
    lab.falseticker(["suspend", "b", "--for", "1s"]).expect_code(2);
    lab.falseticker(["create", "b", "--monotonic"]).expect_code(0);
    lab.falseticker(["suspend", "b", "--for", "1s"]).expect_code(3).expect_error("none of its processes");
    lab.falseticker(["remove", "b"]).expect_code(0);
    lab.falseticker(["freeze", "a"]).expect_code(0);
    lab.falseticker(["suspend", "a", "--for", "1s"]).expect_code(3).expect_error("frozen");
    lab.falseticker(["thaw", "a"]).expect_code(0);
    let pid = i32::try_from(number(&lab.status("a"), "/processes/0/pid")).expect("a pid");
    kill(Pid::from_raw(pid), Signal::SIGSTOP).expect("it can be stopped");
    eventually("the stop", || (state_of(pid) == Some('T')).then_some(()));
    lab.falseticker(["suspend", "a", "--for", "1s"]).expect_code(3).expect_error("stopped");
    assert_eq!(lab.status("a")["changes"], serde_json::json!([]));
    kill(Pid::from_raw(pid), Signal::SIGCONT).expect("it can be continued");
    assert_eq!(offsets(lab), [0, 0, 0]);
    assert_eq!(live.finish(), 0);
}

fn composed(lab: &Lab) {
    let mut live = watch(lab, "glibc", &[]);
    lab.fault(&["strobe", "a", "--amplitude", "1s", "--period", "20ms"]);
    let (mut command, _) = foreground(lab, &["--for", "2s", "--after", "200ms"]);
    for temporary in [&["stall", "a"] as &[&str], &["slew", "a", "+1s", "--rate", "500ppm"]] {
        lab.falseticker(temporary).expect_code(3).expect_error("suspended");
    }
    lab.falseticker(["suspend", "a", "--for", "1s"]).expect_code(3);
    let at = lab.fault(&["jump", "a", "-1h"]);
    assert_eq!(command.end(), 0);
    let woke = woke(&mut live);
    assert!((0..LATE).contains(&woke.mono), "{woke:?}: the jump at {at} has ended the standstill");
    near("the wall clock", wall_at(lab, mono() + 300 * MILLISECOND), -3600 * SECOND);
    near("the monotonic clock", offsets(lab)[1], -2 * SECOND);
    assert_eq!(live.finish(), 0);
}
