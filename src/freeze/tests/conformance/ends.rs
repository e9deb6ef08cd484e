//! Every pause ends, whoever is killed.

use super::super::guard::kill_at_once;
use super::*;

/// A controller that holds a target, both of its own.
fn held_by_another(way: Way, dir: &Path, ticker: &Ticker) -> Target {
    let controller = way.controller("hold", dir, &[ticker.id()]);
    until("it holds", || record(dir).unwrap().is_some_and(|record| record.since.is_some()));
    controller
}

#[test]
fn the_controller_is_killed() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let ticker = Ticker::start();
        let groups = groups_of(ticker.id());
        let mut controller = held_by_another(way, dir.path(), &ticker);
        ticker.expect_still(&format!("{way:?}"));
        controller.kill();
        ticker.expect_running();
        expect_nothing_left(dir.path(), &format!("{way:?}"));
        assert_eq!(groups_of(ticker.id()), groups, "{way:?}");
    }
}

#[test]
fn a_guard_is_killed() {
    let _alone = alone();
    for way in Way::here() {
        for which in 0..2 {
            let dir = tempfile::tempdir().unwrap();
            let ticker = Ticker::start();
            let frozen = way.begin(dir.path(), &[ticker.id()]).unwrap();
            let guards = guards_of(dir.path());
            let Some(guard) = guards.get(which) else { continue };
            signal_to(*guard, Signal::SIGKILL);
            if way == Way::Thread {
                // There is one, and the kernel lets go of what it held.
                ticker.expect_running();
            } else {
                until("another takes its place", || {
                    let now = guards_of(dir.path());
                    now.len() == 2 && now != guards
                });
                ticker.expect_still(&format!("{way:?}"));
            }
            frozen.thaw().unwrap();
            ticker.expect_running();
            expect_nothing_left(dir.path(), &format!("{way:?}"));
        }
    }
}

#[test]
fn all_guards_are_killed_at_once() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let ticker = Ticker::start();
        let groups = groups_of(ticker.id());
        let frozen = way.begin(dir.path(), &[ticker.id()]).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| frozen.wait_and_thaw().unwrap());
            kill_at_once(&guards_of(dir.path()));
            assert_eq!(waiting.join().unwrap().ended, Ended::GuardsLost, "{way:?}");
        });
        ticker.expect_running();
        expect_nothing_left(dir.path(), &format!("{way:?}"));
        assert_eq!(groups_of(ticker.id()), groups, "{way:?}");
    }
}

#[test]
fn all_are_killed_at_once_and_the_next_command_ends_it() {
    let _alone = alone();
    for way in Way::here() {
        for by_thaw in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let ticker = Ticker::start();
            let groups = groups_of(ticker.id());
            let mut controller = held_by_another(way, dir.path(), &ticker);
            controller.signal(Signal::SIGSTOP);
            until("it stops", || is_stopped(controller.id));
            kill_at_once(&guards_of(dir.path()));
            controller.kill();
            until("the lock is free", || nobody_holds_the_lock(dir.path()));
            if way != Way::Thread {
                ticker.expect_still(&format!("{way:?}"));
            }
            if by_thaw {
                assert_eq!(thaw(dir.path()).unwrap().len(), 1, "{way:?}");
            } else {
                assert_eq!(sweep(dir.path()).unwrap(), Swept::Resumed(vec![ticker.id()]), "{way:?}");
            }
            ticker.expect_running();
            expect_nothing_left(dir.path(), &format!("{way:?}"));
            assert_eq!(groups_of(ticker.id()), groups, "{way:?}");
        }
    }
}

#[test]
fn a_detached_pause_is_ended_by_its_plan_or_by_another_command() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let ticker = Ticker::start();
        let members = families(&[ticker.id()]);
        way.begin_of(dir.path(), &members, &Plan::default()).unwrap().detach().unwrap();
        ticker.expect_still(&format!("{way:?}"));
        assert_eq!(thaw(dir.path()).unwrap().len(), 1, "{way:?}");
        ticker.expect_running();
        let planned = after(Span::from_millis(300));
        let frozen = way.begin_of(dir.path(), &members, &planned).unwrap();
        let (since, until) = (frozen.report().last_confirmed, frozen.until().unwrap());
        frozen.detach().unwrap();
        ticker.expect_still_since(since, &format!("{way:?}"));
        super::until("it ends", || ticker.last_ran().iter().all(|ran| *ran > since));
        assert!(ticker.last_ran().iter().all(|ran| *ran >= until), "{way:?}: too early");
        expect_nothing_left(dir.path(), &format!("{way:?}"));
    }
}

#[test]
fn guards_that_are_asked_to_end_do_so() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let ticker = Ticker::start();
        let frozen = way.begin(dir.path(), &[ticker.id()]).unwrap();
        signal_to(guards_of(dir.path())[0], Signal::SIGTERM);
        ticker.expect_running();
        assert_eq!(frozen.wait_and_thaw().unwrap().ended, Ended::ByRequest, "{way:?}");
        expect_nothing_left(dir.path(), &format!("{way:?}"));
    }
}
