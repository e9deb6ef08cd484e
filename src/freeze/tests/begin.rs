//! The front: what a caller sees of a freeze.

use super::*;

#[test]
fn freezes_reports_and_thaws() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let before = host_clock::monotonic();
    let frozen = begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap();
    assert!(is_stopped(target.id));
    let report = frozen.report().clone();
    assert_eq!(report.processes.len(), 1);
    assert_eq!(report.processes[0].id, target.id);
    assert!(before <= report.first_stop && report.first_stop <= report.last_confirmed);
    let record = record(dir.path()).unwrap().unwrap();
    assert_eq!(record.processes, [target.id]);
    assert_eq!(record.controller, ProcessId::own());
    assert_eq!(record.guards.len(), 2);
    assert_eq!(record.since, Some(report.last_confirmed.as_nanos()));
    assert_eq!(sweep(dir.path()).unwrap(), Swept::Live);
    let thawed = frozen.thaw().unwrap();
    assert_eq!(thawed.ended, Ended::AsPlanned);
    assert!(!is_stopped(target.id));
    assert_eq!(super::record(dir.path()).unwrap(), None);
    assert!(nobody_holds_the_lock(dir.path()));
    assert!(record.guards.iter().all(|guard| !guard.is_alive()));
    assert_eq!(thaw(dir.path()).unwrap(), None);
    assert_eq!(sweep(dir.path()).unwrap(), Swept::Nothing);
}

#[test]
fn a_frozen_node_is_not_frozen_again() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let frozen = begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap();
    let error = begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap_err();
    assert!(error.help().unwrap().contains("thaw"), "{error}");
    assert!(is_stopped(target.id), "the refused freeze has ended the first");
    drop(frozen);
    assert!(!is_stopped(target.id));
    // At once again: what the last one left is no obstacle.
    for _ in 0..5 {
        drop(begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap());
    }
}

#[test]
fn ends_as_planned() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let span = Span::from_millis(50);
    let frozen = begin(dir.path(), &families(&[target.id]), &after(span)).unwrap();
    let until = frozen.report().last_confirmed.saturating_add(span);
    assert_eq!(frozen.until(), Some(until));
    let thawed = frozen.wait_and_thaw().unwrap();
    assert_eq!(thawed.ended, Ended::AsPlanned);
    let late = thawed.confirmed.saturating_since(until);
    assert!(!late.is_negative() && late < Span::from_millis(100), "{late:?}");
    assert!(!is_stopped(target.id));
}

#[test]
fn an_end_that_comes_before_all_are_stopped_is_an_error() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let members = || {
        host_clock::sleep(Span::from_millis(30));
        Ok(vec![target.id])
    };
    let at = host_clock::monotonic().saturating_add(Span::from_millis(45));
    let plan = Plan { end: End::At(at), ..Plan::default() };
    begin(dir.path(), &members, &plan).unwrap_err();
    assert!(!is_stopped(target.id));
    assert!(nobody_holds_the_lock(dir.path()));
}

#[test]
fn thawed_by_another_while_it_waits() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let frozen = begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| frozen.wait_and_thaw().unwrap());
        host_clock::sleep(Span::from_millis(20));
        assert_eq!(thaw(dir.path()).unwrap().unwrap().processes, [target.id]);
        assert!(!is_stopped(target.id));
        assert_eq!(waiting.join().unwrap().ended, Ended::ByRequest);
    });
}

#[test]
fn thawed_by_another_while_it_freezes() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let (target, second) = (Target::sleeper(), Target::sleeper());
    let (asked, thawing) = (std::cell::Cell::new(0), std::cell::RefCell::new(None));
    let members = || {
        asked.set(asked.get() + 1);
        if asked.get() == 2 {
            assert!(is_stopped(target.id));
            let dir = dir.path().to_path_buf();
            *thawing.borrow_mut() = Some(std::thread::spawn(move || thaw(&dir).unwrap().unwrap()));
            until("the guards resume at once", || !is_stopped(target.id));
        }
        Ok(if asked.get() < 2 { vec![target.id] } else { vec![target.id, second.id] })
    };
    begin(dir.path(), &members, &Plan::default()).unwrap_err();
    thawing.take().unwrap().join().unwrap();
    assert!(!is_stopped(target.id) && !is_stopped(second.id));
    assert_eq!(record(dir.path()).unwrap(), None);
}

#[test]
fn what_fails_half_way_is_undone() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let asked = std::cell::Cell::new(0);
    let members = || {
        asked.set(asked.get() + 1);
        match asked.get() {
            1 => Ok(vec![target.id]),
            _ => Err(crate::Error::not_applied("scan", "a test says so")),
        }
    };
    let error = begin(dir.path(), &members, &Plan::default()).unwrap_err();
    assert_eq!(error.why(), "a test says so");
    assert!(!is_stopped(target.id));
    assert_eq!(record(dir.path()).unwrap(), None);
    assert!(nobody_holds_the_lock(dir.path()));
}

#[test]
fn nobody_to_freeze_is_an_error_and_the_spared_are_nobody() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let members = || Ok(vec![ProcessId::own().unwrap(), target.id]);
    let plan = Plan { exclude: vec![target.id.pid], ..Plan::default() };
    let error = begin(dir.path(), &members, &plan).unwrap_err();
    assert!(error.why().contains("none of its processes"), "{error}");
    let recycled = ProcessId { start_ticks: target.id.start_ticks + 1, ..target.id };
    begin(dir.path(), &|| Ok(vec![recycled]), &Plan::default()).unwrap_err();
    assert!(!is_stopped(target.id));
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent");
    begin(&absent, &|| Ok(Vec::new()), &Plan::default()).unwrap_err();
    assert_eq!(thaw(&absent).unwrap(), None);
    assert_eq!(sweep(&absent).unwrap(), Swept::Nothing);
}

#[test]
fn one_already_stopped_is_noted_and_left_stopped() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let (target, paused) = (Target::sleeper(), Target::sleeper());
    paused.signal(Signal::SIGSTOP);
    until("it stops", || is_stopped(paused.id));
    let frozen = begin(dir.path(), &families(&[target.id, paused.id]), &Plan::default()).unwrap();
    assert_eq!(frozen.report().found_stopped, [paused.id]);
    assert_eq!(record(dir.path()).unwrap().unwrap().found_stopped, [paused.id]);
    frozen.thaw().unwrap();
    assert!(!is_stopped(target.id));
    assert!(is_stopped(paused.id));
}
