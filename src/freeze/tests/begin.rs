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
    let record = super::record(dir.path()).unwrap().unwrap();
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
    until("the guards are gone", || record.guards.iter().all(|guard| !guard.is_alive()));
    assert_eq!(thaw(dir.path()).unwrap(), []);
    assert_eq!(sweep(dir.path()).unwrap(), Swept::Nothing);
}

#[test]
fn freezes_that_overlap_are_counted() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let again = || begin(dir.path(), &families(&[target.id]), &Plan::default()).unwrap();
    let (first, second, third) = (again(), again(), again());
    assert!(third.report().found_stopped.is_empty(), "another freeze's stop was taken for somebody else's");
    assert_eq!(records(dir.path()).unwrap().len(), 3);
    for ended in [second, first] {
        ended.thaw().unwrap();
        assert!(is_stopped(target.id), "it runs though one freeze of it is in force");
    }
    third.thaw().unwrap();
    assert!(!is_stopped(target.id));
    // One ends all.
    let (_first, _second) = (again(), again());
    assert_eq!(thaw(dir.path()).unwrap().len(), 2);
    assert!(!is_stopped(target.id));
}

#[test]
fn more_freezes_than_there_are_slots_are_refused() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let again = || begin(dir.path(), &families(&[target.id]), &Plan::default());
    let held: Vec<Frozen> = Slot::all().map(|_| again().unwrap()).collect();
    let error = again().unwrap_err();
    assert!(error.help().unwrap().contains("thaw"), "{error}");
    assert!(is_stopped(target.id), "the refused freeze has ended the others");
    drop(held);
    assert!(!is_stopped(target.id));
    // At once again: what the last ones left is no obstacle.
    for _ in 0..20 {
        drop(again().unwrap());
    }
}

#[test]
fn freezes_that_begin_and_end_at_the_same_time_leave_each_other_alone() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let targets: Vec<Target> = (0..5).map(|_| Target::sleeper()).collect();
    let ids: Vec<ProcessId> = targets.iter().map(|target| target.id).collect();
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let (dir, ids) = (dir.path(), &ids);
            scope.spawn(move || {
                for round in 0..40 {
                    let frozen = begin(dir, &families(ids), &Plan::default()).unwrap();
                    host_clock::sleep(Span::from_nanos(100_000 * ((worker + 1) * round % 17)));
                    let moving: Vec<_> = ids.iter().filter(|id| !is_stopped(**id)).collect();
                    assert!(moving.is_empty(), "worker {worker}, round {round}: {moving:?} run");
                    assert!(frozen.report().found_stopped.is_empty());
                    frozen.thaw().unwrap();
                }
            });
        }
    });
    assert!(!ids.iter().any(|id| is_stopped(*id)));
    assert_eq!(records(dir.path()).unwrap(), []);
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
fn a_pause_may_be_shorter_than_it_takes_to_see_that_nobody_is_missing() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let asked = std::cell::Cell::new(false);
    let members = || {
        if asked.replace(true) {
            host_clock::sleep(Span::from_millis(60));
        }
        Ok(vec![target.id])
    };
    let frozen = begin(dir.path(), &members, &after(Span::from_millis(10))).unwrap();
    let confirmed = frozen.report().last_confirmed;
    let thawed = frozen.wait_and_thaw().unwrap();
    assert_eq!(thawed.ended, Ended::AsPlanned);
    assert!(thawed.first_resumed.saturating_since(confirmed) >= Span::from_millis(60), "{thawed:?}");
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
        assert_eq!(thaw(dir.path()).unwrap().pop().unwrap().processes, [target.id]);
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
            *thawing.borrow_mut() = Some(std::thread::spawn(move || thaw(&dir).unwrap().pop().unwrap()));
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
    assert_eq!(thaw(&absent).unwrap(), []);
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
