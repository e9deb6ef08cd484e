//! Guards that are killed, stopped, left alone, and what they hold.

use super::*;

/// Kill all guards with no time for one to replace another.
pub(super) fn kill_at_once(guards: &[ProcessId]) {
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for guard in guards {
            signal_to(*guard, signal);
        }
        if signal == Signal::SIGSTOP {
            until("the guards stop", || guards.iter().copied().all(is_stopped));
        }
    }
}

#[test]
fn a_guard_that_is_killed_is_replaced() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let frozen = begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap();
    for round in 0..10 {
        let guards = guards_of(dir.path());
        assert_eq!(guards.len(), 2, "round {round}");
        signal_to(guards[round % 2], Signal::SIGKILL);
        until("another takes its place", || {
            let now = guards_of(dir.path());
            now.len() == 2 && now != guards
        });
        assert!(is_stopped(target.id), "round {round}");
    }
    let guards = guards_of(dir.path());
    frozen.thaw().unwrap();
    assert!(!is_stopped(target.id));
    until("the guards are gone", || guards.iter().all(|guard| !guard.is_alive()));
}

#[test]
fn both_guards_killed_at_once_end_a_pause_that_is_waited_for() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let frozen = begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| frozen.wait_and_thaw().unwrap());
        kill_at_once(&guards_of(dir.path()));
        assert_eq!(waiting.join().unwrap().ended, Ended::GuardsLost);
    });
    assert!(!is_stopped(target.id));
    assert_eq!(record(dir.path()).unwrap(), None);
}

#[test]
fn both_guards_killed_while_it_freezes_undo_it() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let (target, second) = (Target::sleeper(), Target::sleeper());
    let asked = std::cell::Cell::new(0);
    let members = || {
        asked.set(asked.get() + 1);
        if asked.get() < 2 {
            return Ok(vec![target.id]);
        }
        kill_at_once(&guards_of(dir.path()));
        until("they are dead", || guards_of(dir.path()).is_empty());
        Ok(vec![target.id, second.id])
    };
    let error = begin(dir.path(), &members, &Plan::default()).unwrap_err();
    assert!(error.why().contains("guards"), "{error}");
    assert!(!is_stopped(target.id) && !is_stopped(second.id));
    assert!(nobody_holds_the_lock(dir.path()));
}

#[test]
fn a_controller_that_executes_something_else_ends_the_pause() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let controller = Target::helper("hold-and-exec", dir.path(), &[target.id]);
    let name = || Table::scan().unwrap().get(controller.id.pid).unwrap().comm.clone();
    until("it executes", || name() == "sleep");
    until("it ends", || !is_stopped(target.id) && nobody_holds_the_lock(dir.path()));
    assert_eq!(record(dir.path()).unwrap(), None);
}

#[test]
fn both_guards_of_a_detached_pause_killed_at_once_are_made_good_by_a_sweep() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    for by in ["sweep", "thaw", "begin"] {
        let frozen = begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap();
        frozen.detach().unwrap();
        kill_at_once(&guards_of(dir.path()));
        until("the lock is free", || nobody_holds_the_lock(dir.path()));
        assert!(is_stopped(target.id));
        match by {
            "sweep" => assert_eq!(sweep(dir.path()).unwrap(), Swept::Resumed(vec![target.id])),
            "thaw" => assert_eq!(thaw(dir.path()).unwrap().pop().unwrap().processes, [target.id]),
            _ => {
                let again = begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap();
                assert!(again.report().found_stopped.is_empty());
                drop(again);
            }
        }
        assert!(!is_stopped(target.id));
        assert_eq!(record(dir.path()).unwrap(), None);
    }
}

#[test]
fn what_the_dead_have_stopped_is_held_by_a_freeze_that_was_beginning_when_they_died() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap().detach().unwrap();
    let guards = guards_of(dir.path());
    // Asked for after the sweep with which a freeze begins.
    let members = || {
        if guards.iter().any(|guard| guard.is_alive()) {
            kill_at_once(&guards);
            until("they are dead", || guards.iter().all(|guard| !guard.is_alive()));
        }
        Ok(vec![target.id])
    };
    let frozen = begin(dir.path(), &members, &Plan::default()).unwrap();
    assert_eq!(frozen.report().found_stopped, []);
    assert_eq!(sweep(dir.path()).unwrap(), Swept::Resumed(vec![target.id]));
    assert!(is_stopped(target.id), "the sweep has resumed whom another freeze holds");
    frozen.thaw().unwrap();
    assert!(!is_stopped(target.id));
}

#[test]
fn a_controller_that_is_killed_with_both_guards_is_made_good_by_a_sweep() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let mut controller = Target::helper("hold", dir.path(), &[target.id]);
    until("it holds", || record(dir.path()).unwrap().is_some_and(|record| record.since.is_some()));
    controller.signal(Signal::SIGSTOP);
    until("it stops", || is_stopped(controller.id));
    kill_at_once(&guards_of(dir.path()));
    controller.kill();
    until("the lock is free", || nobody_holds_the_lock(dir.path()));
    assert!(is_stopped(target.id));
    assert_eq!(sweep(dir.path()).unwrap(), Swept::Resumed(vec![target.id]));
    assert!(!is_stopped(target.id));
}

#[test]
fn guards_that_were_stopped_lose_nothing() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let stop = |guards: &[ProcessId]| {
        guards.iter().for_each(|guard| signal_to(*guard, Signal::SIGSTOP));
        until("the guards stop", || guards.iter().copied().all(is_stopped));
    };
    // One of the two stopped, the controller killed.
    let mut controller = Target::helper("hold", dir.path(), &[target.id]);
    until("it holds", || record(dir.path()).unwrap().is_some_and(|record| record.since.is_some()));
    stop(&guards_of(dir.path())[..1]);
    controller.kill();
    until("the other guard resumes", || !is_stopped(target.id) && nobody_holds_the_lock(dir.path()));
    // Both stopped, the controller killed: any command wakes them.
    let mut controller = Target::helper("hold", dir.path(), &[target.id]);
    until("it holds", || record(dir.path()).unwrap().is_some_and(|record| record.since.is_some()));
    stop(&guards_of(dir.path()));
    controller.kill();
    assert!(is_stopped(target.id));
    assert_eq!(sweep(dir.path()).unwrap(), Swept::Live);
    until("the guards resume", || !is_stopped(target.id) && nobody_holds_the_lock(dir.path()));
    // Both stopped, the controller alive: it needs them not.
    let frozen = begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap();
    let guards = guards_of(dir.path());
    stop(&guards);
    frozen.thaw().unwrap();
    assert!(!is_stopped(target.id) && nobody_holds_the_lock(dir.path()));
    // Both stopped, detached: thaw wakes them.
    begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap().detach().unwrap();
    stop(&guards_of(dir.path()));
    assert!(!thaw(dir.path()).unwrap().is_empty());
    assert!(!is_stopped(target.id));
}

#[test]
fn a_detached_pause_outlives_its_controller_and_holds_nothing_of_it() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let id = format!("{}:{}", target.id.pid, target.id.start_ticks);
    let mut command = helper_command("detach", dir.path(), &id);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // As a shell's $(...) does, this waits until nobody holds the pipes any more.
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(is_stopped(target.id));
    let guards = guards_of(dir.path());
    assert_eq!(guards.len(), 2);
    let table = Table::scan().unwrap();
    let own = table.get(i32::try_from(std::process::id()).unwrap()).unwrap().session;
    for guard in guards {
        let process = table.get(guard.pid).unwrap();
        assert_eq!(process.comm, super::super::guard::NAME);
        assert_ne!(process.session, own);
        let proc = Path::new("/proc").join(guard.pid.to_string());
        assert_eq!(std::fs::read_link(proc.join("cwd")).unwrap(), Path::new("/"));
        for stream in 0..3 {
            let target = std::fs::read_link(proc.join("fd").join(stream.to_string())).unwrap();
            assert_eq!(target, Path::new("/dev/null"));
        }
        // Streams, lock, directory, lifeline, bell, timer, controller, signals, twin.
        assert!(std::fs::read_dir(proc.join("fd")).unwrap().count() <= 11);
    }
    assert!(!thaw(dir.path()).unwrap().is_empty());
    assert!(!is_stopped(target.id));
    until("the guards leave", || nobody_holds_the_lock(dir.path()));
}

#[test]
fn a_detached_pause_ends_as_planned() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let mut helper = Target::helper("detach-300ms", dir.path(), &[target.id]);
    helper.child.wait().unwrap();
    let planned = HostInstant::from_nanos(record(dir.path()).unwrap().unwrap().until.unwrap());
    assert!(is_stopped(target.id));
    until("it ends", || !is_stopped(target.id));
    let late = host_clock::monotonic().saturating_since(planned);
    println!("planned end, by the guards: {:.1} ms late", millis(late));
    assert!(!late.is_negative() && late < Span::from_millis(100), "{late:?}");
    until("the guards leave", || nobody_holds_the_lock(dir.path()));
    assert_eq!(record(dir.path()).unwrap(), None);
}

#[test]
fn a_controller_that_is_stopped_does_not_prolong_the_pause() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let controller = Target::helper("hold-300ms", dir.path(), &[target.id]);
    until("it holds", || record(dir.path()).unwrap().is_some_and(|record| record.since.is_some()));
    let planned = HostInstant::from_nanos(record(dir.path()).unwrap().unwrap().until.unwrap());
    controller.signal(Signal::SIGSTOP);
    until("it ends", || !is_stopped(target.id));
    let late = host_clock::monotonic().saturating_since(planned);
    assert!(!late.is_negative() && late < Span::from_millis(100), "{late:?}");
    assert!(is_stopped(controller.id));
    controller.signal(Signal::SIGCONT);
    until("it notices", || nobody_holds_the_lock(dir.path()));
}
