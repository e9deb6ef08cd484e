//! How suspends end: as planned whatever dies, sooner if asked for, and with the clocks as before where they cannot be brought
//! about.

use falseticker::units::format_span;
use falseticker::{Span, host_clock};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{LATE, foreground, length, near, number, offsets, suspend, text, wall_at, watch, woke};
use crate::harness::{Lab, Live, MILLISECOND, SECOND, Spec, binary, count_of, eventually, mono, state_of};

pub fn trials(of: impl Fn(&str) -> Spec) -> Vec<libtest_mimic::Trial> {
    vec![
        of("SIGKILL of the command changes nothing").shown_by(killed),
        of("SIGKILL at any instant leaves clocks that run and programs that run")
            .shown_by(killed_at_any_instant),
        of("Ctrl-C, thaw and heal wake the node and its clocks").shown_by(woken),
        of("a command whose suspend was ended leaves the next one alone").shown_by(late_command),
        of("when the guards are killed too, the next command wakes it").shown_by(guards_killed),
        of("a process whose timers do not follow calls it off, and the clocks are as before")
            .shown_by(called_off),
        of("a command that is killed before all stand still is put right by the next one")
            .shown_by(killed_early),
        of("one that may be over before all stand still harms nobody").shown_by(too_short),
    ]
}

fn killed(lab: &Lab) {
    let mut live = watch(lab, "glibc", &[]);
    let length = length().saturating_add(Span::from_secs(1));
    let (mut command, status) = foreground(lab, &["--for", &text(length), "--wall", "corrected"]);
    assert_eq!(status["changes"][0]["fault"], format!("suspend {}", format_span(length)));
    command.signal(Signal::SIGKILL);
    command.end();
    let woke = woke(&mut live);
    assert!((0..LATE).contains(&woke.mono), "{woke:?}");
    let until = number(&status, "/changes/0/until_ns");
    assert!(mono() >= until, "it woke before its end");
    assert!(woke.boot >= until - number(&status, "/changes/0/at_ns") - LATE, "{woke:?}");
    lab.status_until("a", "the thaw", |status| status["frozen"].is_null().then_some(()));
    let [wall, mono, _] = offsets(lab);
    near("the wall clock", wall, 0);
    near("the monotonic clock", mono, -length.as_nanos());
    assert_eq!(live.finish(), 0);
}

fn killed_at_any_instant(lab: &Lab) {
    let mut live = watch(lab, "glibc", &[]);
    let pid = i32::try_from(number(&lab.status("a"), "/processes/0/pid")).expect("a pid");
    // How long one takes here and now, its length apart.
    let since = mono();
    lab.falseticker(["suspend", "a", "--for", "500ms", "--wall", "corrected"]).expect_code(0);
    let whole = mono() - since - SECOND / 2;
    let (mut begun, mut cut_short) = (0, 0);
    let kills = i64::try_from(count_of("FALSETICKER_KILLS", 10)).expect("a count");
    for round in 0..kills {
        let before = number(&lab.status("a"), "/clocks/mono/offset_ns");
        let mut command = lab.bare_live(binary(), ["suspend", "a", "--for", "150ms", "--wall", "corrected"]);
        // Another point of whatever it does each time.
        let after = 2 * whole / kills * round;
        host_clock::sleep(Span::from_nanos(after));
        command.signal(Signal::SIGKILL);
        command.end();
        if round % 2 == 0 {
            lab.falseticker(["status"]).expect_code(0);
        }
        host_clock::sleep(Span::from_millis(200));
        lab.status_until("a", "the thaw", |status| status["frozen"].is_null().then_some(()));
        assert!(state_of(pid).is_some_and(|state| !"Tt".contains(state)), "{after} ns: it is stopped");
        let [wall, mono, _] = offsets(lab);
        near("the wall clock", wall, 0);
        let lost = before - mono;
        assert!((0..=150 * MILLISECOND).contains(&lost), "{after} ns: the monotonic clock lost {lost} ns");
        host_clock::sleep(Span::from_millis(20));
        near("the monotonic clock, which runs,", offsets(lab)[1], mono);
        begun += usize::from(lost > 0);
        cut_short += usize::from(lost > 0 && lost < 149 * MILLISECOND);
    }
    eprintln!("of {kills} suspends that were killed {begun} had begun, and {cut_short} were cut short");
    assert!(begun > 0, "all were killed too soon to show anything");
    assert_eq!(live.finish(), 0);
}

fn woken(lab: &Lab) {
    let mut live = watch(lab, "glibc", &[]);
    let mut lost = 0;
    for how in ["SIGINT", "thaw", "heal"] {
        let (mut command, status) = foreground(lab, &["--for", "1h", "--after", "300ms"]);
        host_clock::sleep(Span::from_millis(400));
        let code = if how == "SIGINT" {
            command.signal(Signal::SIGINT);
            130
        } else {
            lab.falseticker([how, "a"]).expect_code(0);
            0
        };
        assert_eq!(command.end(), code, "{how}");
        let woke = woke(&mut live);
        assert!((0..LATE).contains(&woke.mono) && woke.boot < 60 * SECOND, "{how}: {woke:?}");
        let now = lab.status("a");
        assert!(now["frozen"].is_null(), "{how}");
        let at = |status: &Value| number(status, "/clocks/mono/offset_ns");
        lost = lost.min(at(&now));
        // What the clocks lost is what went by until it was woken.
        let paused = number(&now, "/now_ns") - number(&status, "/changes/0/at_ns");
        assert!(-lost < paused, "{how}: the monotonic clock lost {lost}");
        near("the wall clock in the end", wall_at(lab, mono() + 400 * MILLISECOND), 0);
        near("the monotonic clock in the end", offsets(lab)[1], lost);
    }
    assert_eq!(live.finish(), 0);
}

fn late_command(lab: &Lab) {
    let mut live = watch(lab, "glibc", &[]);
    let (mut first, _) = foreground(lab, &["--for", "1h"]);
    // Long enough to be told from no pause.
    let long_enough = Span::from_millis(400);
    host_clock::sleep(long_enough);
    // It hears of its end only when there is another one.
    first.signal(Signal::SIGSTOP);
    lab.falseticker(["thaw", "a"]).expect_code(0);
    woke(&mut live);
    let (mut second, _) = foreground(lab, &["--for", "1h"]);
    first.signal(Signal::SIGCONT);
    assert_eq!(first.end(), 0);
    let status = lab.status("a");
    let stands = |change: &Value| change["fault"] == "suspend 1h" && change["state"] == "in force";
    let changes = status["changes"].as_array();
    assert!(changes.is_some_and(|changes| changes.iter().any(stands)), "its clocks run: {status}");
    host_clock::sleep(long_enough);
    second.signal(Signal::SIGINT);
    assert_eq!(second.end(), 130);
    woke(&mut live);
    assert_eq!(live.finish(), 0);
}

fn guards_killed(lab: &Lab) {
    let mut live = watch(lab, "glibc", &[]);
    let (mut command, status) = foreground(lab, &["--for", "1h"]);
    let guards: Vec<i32> = status["frozen"]["guards"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|pid| pid.as_i64()?.try_into().ok())
        .collect();
    assert!(!guards.is_empty());
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        command.signal(signal);
        for guard in &guards {
            kill(Pid::from_raw(*guard), signal).expect("the guard is there");
        }
    }
    command.end();
    eventually("the end of the guards", || {
        guards.iter().all(|guard| matches!(state_of(*guard), None | Some('Z'))).then_some(())
    });
    host_clock::sleep(Span::from_millis(300));
    lab.falseticker(["status"]).expect_code(0);
    let woke = woke(&mut live);
    assert!(woke.boot < 60 * SECOND, "{woke:?}");
    let first = offsets(lab)[1];
    host_clock::sleep(Span::from_millis(50));
    near("the monotonic clock, which runs,", offsets(lab)[1], first);
    assert_eq!(lab.status("a")["changes"][0]["state"], "ended");
    assert_eq!(live.finish(), 0);
}

/// A program whose helper is held, so that it cannot say that its timers have followed.
fn held(lab: &Lab) -> (Live, Live) {
    let live = watch(lab, "glibc", &[]);
    let pid = lab.status("a")["processes"][0]["pid"].to_string();
    let program = lab.target("suspend").path();
    let mut holder = lab.bare_live(program, ["hold", &pid]);
    holder.line_where(|line| line == "held");
    (live, holder)
}

fn called_off(lab: &Lab) {
    let (mut live, mut holder) = held(lab);
    let done = lab.falseticker(["suspend", "a", "--for", "1h", "--wall", "corrected"]);
    done.expect_code(3).expect_error("did not say in time").expect_error("old course");
    let [wall, mono, boot] = offsets(lab);
    near("the wall clock", wall, 0);
    near("the monotonic clock", mono, 0);
    assert_eq!(boot, 0);
    let status = lab.status("a");
    assert!(status["frozen"].is_null());
    assert!(
        status["changes"]
            .as_array()
            .is_some_and(|changes| changes.iter().all(|change| change["state"] == "ended")),
        "{status}"
    );
    assert_eq!(holder.finish(), 0);
    suspend(lab, &[]);
    woke(&mut live);
    assert_eq!(live.finish(), 0);
}

fn killed_early(lab: &Lab) {
    let (mut live, mut holder) = held(lab);
    let mut command = lab.bare_live(binary(), ["suspend", "a", "--for", "1h"]);
    lab.status_until("a", "the standstill", |status| {
        (status["changes"][0]["state"] == "in force").then_some(())
    });
    command.signal(Signal::SIGKILL);
    command.end();
    let status = lab.status("a");
    assert_eq!(status["changes"][0]["state"], "ended");
    let lost = offsets(lab)[1];
    assert!((-5 * SECOND..0).contains(&lost), "it lost {lost} ns");
    host_clock::sleep(Span::from_millis(50));
    near("the monotonic clock, which runs,", offsets(lab)[1], lost);
    assert_eq!(holder.finish(), 0);
    assert_eq!(live.finish(), 0);
}

fn too_short(lab: &Lab) {
    let mut live = watch(lab, "glibc", &[]);
    let mut called_off = 0;
    for _ in 0..20 {
        // Often, not always, it is over before the first process can be frozen.
        let done = lab.falseticker(["suspend", "a", "--for", "1ns", "--wall", "corrected"]);
        if done.code != 0 {
            done.expect_code(3).expect_error("old course").expect_error("for longer");
            called_off += 1;
        }
    }
    eprintln!("{called_off} of 20 suspends for 1 ns were over before all stood still");
    let [wall, mono, _] = offsets(lab);
    near("the wall clock", wall, 0);
    near("the monotonic clock", mono, 0);
    assert!(lab.status("a")["frozen"].is_null());
    assert_eq!(live.finish(), 0);
}
