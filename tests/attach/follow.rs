//! `attach --follow`: what attached processes execute is reached as it begins.

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{HOUR, detach, says_pid, sweep};
use crate::harness::{Lab, Live, Reading, alive, eventually, spec, state_of};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("attach --follow: {sentence}")).needs("cc", "gcc");
    vec![
        of("what it and its children execute is reached, dynamic and static, until it is detached")
            .shown_by(executes),
        of("stops, signals and exit codes are as without it").shown_by(signals),
        of("it ends with the last process, and takes the node along").shown_by(ends),
        of("remove ends it, and what was executed has a true clock").shown_by(removed),
        of("killed, it lets go of all, and they run on in their node").shown_by(killed),
    ]
}

/// A shell that runs each line of its input.
#[track_caller]
fn shell(lab: &Lab) -> Live {
    lab.bare_live("sh", ["-c", "while read line; do eval \"$line\"; done"])
}

/// Attached to node `a` an hour behind, and followed; by whom.
#[track_caller]
fn follow(lab: &Lab, live: &Live) -> i32 {
    let words = ["attach", "--pid", &live.pid().to_string(), "--node", "a", "--follow", "--json"];
    let said = lab.falseticker(words).expect_code(0).json();
    lab.fault(&["jump", "a", "-1h"]);
    said["follower"]
        .as_i64()
        .and_then(|pid| i32::try_from(pid).ok())
        .unwrap_or_else(|| panic!("nobody follows: {said}"))
}

/// What the probe reads first when the shell runs it in this way.
#[track_caller]
fn first_read(live: &mut Live, command: &str) -> Reading {
    live.say(command);
    let line = live.line_where(|line| line.starts_with("ready"));
    Reading::parse(&line).unwrap_or_else(|| panic!("the probe says {line:?}"))
}

fn executes(lab: &Lab) {
    let mut live = shell(lab);
    let (dynamic, fixed) = (lab.target("probe"), lab.target("probe").flags(["-static"]));
    follow(lab, &live);
    for target in [&dynamic, &fixed] {
        let program = target.path().display().to_string();
        for command in [
            format!("{program} < /dev/null"),
            format!("({program} < /dev/null; :)"),
            format!("sh -c 'sh -c \"{program} < /dev/null; :\"; :'"),
        ] {
            first_read(&mut live, &command).expect_skew(-HOUR);
        }
    }
    detach(lab, live.pid());
    first_read(&mut live, &format!("{} < /dev/null", dynamic.path().display())).expect_skew(0);
    assert_eq!(live.finish(), 0);
    sweep(lab);
}

fn signals(lab: &Lab) {
    let mut live = shell(lab);
    follow(lab, &live);
    // Not from outside: a signal that is caught ends a shell's `read`, and with it the loop.
    live.say("trap 'echo caught' USR1; kill -USR1 $$; echo after");
    live.line_where(|line| line == "caught");
    live.line_where(|line| line == "after");
    // The whole process is stopped, as its state says, until it is continued.
    live.signal(Signal::SIGSTOP);
    eventually("it is stopped", || matches!(state_of(live.pid()), Some('t' | 'T')).then_some(()));
    live.say("echo continued");
    assert_eq!(
        live.line_within(std::time::Duration::from_millis(50)).filter(|line| line == "continued"),
        None
    );
    live.signal(Signal::SIGCONT);
    live.line_where(|line| line == "continued");
    live.say("sh -c 'kill -TERM $$'; echo code $?");
    live.line_where(|line| line == "code 143");
    live.say("exit 7");
    assert_eq!(live.end(), 7);
    sweep(lab);
}

fn ends(lab: &Lab) {
    let mut live = shell(lab);
    let follower = follow(lab, &live);
    live.say("sh -c 'read x; :' & echo child $!");
    assert_eq!(live.finish(), 0);
    eventually("it has ended", || (!alive(follower)).then_some(()));
    // Without any other command.
    eventually("the node is gone", || lab.left_in_nodes().is_empty().then_some(()));
}

fn removed(lab: &Lab) {
    let mut live = shell(lab);
    let follower = follow(lab, &live);
    let program = lab.target("probe").flags(["-static"]).path();
    first_read(&mut live, &format!("{} < /dev/null", program.display())).expect_skew(-HOUR);
    lab.falseticker(["remove", "a"]).expect_code(0);
    eventually("it has ended", || (!alive(follower)).then_some(()));
    first_read(&mut live, &format!("{} < /dev/null", program.display())).expect_skew(0);
    assert_eq!(live.finish(), 0);
}

fn killed(lab: &Lab) {
    let mut live = shell(lab);
    let follower = follow(lab, &live);
    live.say("echo $$");
    live.line();
    kill(Pid::from_raw(follower), Signal::SIGKILL).expect("it runs");
    eventually("it is gone", || (!alive(follower)).then_some(()));
    live.say("echo runs $$");
    assert_eq!(says_pid(&mut live, "runs"), live.pid());
    let status = lab.status("a");
    assert_eq!(status["processes"][0]["pid"], live.pid(), "{status}");
    detach(lab, live.pid());
    assert_eq!(live.finish(), 0);
    sweep(lab);
}
