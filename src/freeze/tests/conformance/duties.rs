//! The duties one by one.

use super::*;

#[test]
fn nobody_moves_from_success_until_the_end() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let tickers = [Ticker::start(), Ticker::start()];
        let ids = tickers.each_ref().map(Ticker::id);
        let groups = ids.map(groups_of);
        let asked = host_clock::monotonic();
        let frozen = way.begin(dir.path(), &ids).unwrap();
        let report = frozen.report().clone();
        for ticker in &tickers {
            ticker.expect_still_since(report.last_confirmed, &format!("{way:?}"));
        }
        for process in &report.processes {
            assert!(asked <= process.stop_sent && process.stop_sent <= process.confirmed, "{way:?}");
        }
        let held: BTreeSet<i32> = report.processes.iter().map(|one| one.id.pid).collect();
        assert_eq!(held, ids.iter().map(|id| id.pid).collect(), "{way:?}");
        let ending = host_clock::monotonic();
        let thawed = frozen.thaw().unwrap();
        assert!(ending <= thawed.first_resumed && thawed.first_resumed <= thawed.last_resumed, "{way:?}");
        assert!(thawed.processes.iter().all(|one| one.resumed >= Some(ending)), "{way:?}");
        tickers.iter().for_each(Ticker::expect_running);
        assert_eq!(ids.map(groups_of), groups, "{way:?}: they are not back in their control groups");
        expect_nothing_left(dir.path(), &format!("{way:?}"));
    }
}

#[test]
fn a_storm_of_forks_is_stopped_as_a_whole() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let file = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
        let length = || file.as_file().metadata().unwrap().len();
        // Children that are there for a moment only, and each leaves a byte.
        let script = format!("while :; do (printf x); (printf y) & done >>{}", file.path().display());
        let storm = Target::shell(&script);
        let grows = || {
            let before = length();
            until("the storm goes on", || length() > before + 5);
        };
        for round in 0..5 {
            grows();
            let members = families(&[storm.id]);
            let frozen = way.begin_of(dir.path(), &members, &Plan::default());
            let frozen = frozen.unwrap_or_else(|why| panic!("{way:?}, round {round}: {why}"));
            let before = length();
            host_clock::sleep(WATCHED);
            assert_eq!(length(), before, "{way:?}, round {round}: somebody goes on");
            let held: BTreeSet<ProcessId> = frozen.report().processes.iter().map(|one| one.id).collect();
            let living = members().unwrap().into_iter().filter(|id| stillness(*id) != Stillness::Gone);
            let missed: Vec<ProcessId> = living.filter(|id| !held.contains(id)).collect();
            assert_eq!(missed, [], "{way:?}, round {round}: not in the report");
            frozen.thaw().unwrap();
        }
        grows();
        expect_nothing_left(dir.path(), &format!("{way:?}"));
    }
}

#[test]
fn whoever_is_born_meanwhile_is_held_as_well() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let first = Ticker::start();
        let (asked, born) = (std::cell::Cell::new(0), std::cell::RefCell::new(Vec::<Ticker>::new()));
        // Control groups are asked once more before anything is done.
        let members = || {
            asked.set(asked.get() + 1);
            if matches!(asked.get(), 3 | 4) {
                born.borrow_mut().push(Ticker::start());
            }
            Ok(born.borrow().iter().map(Ticker::id).chain([first.id()]).collect())
        };
        let frozen = way.begin_of(dir.path(), &members, &Plan::default()).unwrap();
        let confirmed = frozen.report().last_confirmed;
        assert!(way != Way::Cgroup2 || !born.borrow().is_empty());
        for ticker in born.borrow().iter().chain([&first]) {
            ticker.expect_still_since(confirmed, &format!("{way:?}"));
        }
        frozen.thaw().unwrap();
        born.borrow().iter().chain([&first]).for_each(Ticker::expect_running);
        expect_nothing_left(dir.path(), &format!("{way:?}"));
    }
}

#[test]
fn whoever_was_found_stopped_is_left_so() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let (running, paused) = (Ticker::start(), Ticker::start());
        paused.target.signal(Signal::SIGSTOP);
        until("it stops", || is_stopped(paused.id()));
        let groups = groups_of(paused.id());
        let frozen = way.begin(dir.path(), &[running.id(), paused.id()]).unwrap();
        assert_eq!(frozen.report().found_stopped, [paused.id()], "{way:?}");
        assert_eq!(groups_of(paused.id()), groups, "{way:?}: it was moved");
        frozen.thaw().unwrap();
        running.expect_running();
        paused.expect_still(&format!("{way:?}"));
        assert_eq!(stillness(paused.id()), Stillness::Still { by_signal: true }, "{way:?}");
        paused.target.signal(Signal::SIGCONT);
        paused.expect_running();
        expect_nothing_left(dir.path(), &format!("{way:?}"));
    }
}

#[test]
fn the_spared_and_the_successors_of_recycled_pids_are_never_touched() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let (target, spared) = (Ticker::start(), Ticker::start());
        let recycled = ProcessId { start_ticks: spared.id().start_ticks + 1, ..spared.id() };
        let groups = groups_of(spared.id());
        let members = || Ok(vec![target.id(), recycled]);
        let frozen = way.begin_of(dir.path(), &members, &Plan::default()).unwrap();
        spared.expect_running();
        assert_eq!(groups_of(spared.id()), groups, "{way:?}");
        frozen.thaw().unwrap();
        let plan = Plan { exclude: vec![spared.id().pid], ..Plan::default() };
        let members = || Ok(vec![target.id(), spared.id(), ProcessId::own().unwrap()]);
        let frozen = way.begin_of(dir.path(), &members, &plan).unwrap();
        spared.expect_running();
        target.expect_still(&format!("{way:?}"));
        frozen.thaw().unwrap();
        // Nobody else is there: an error.
        let nobody = || Ok(vec![recycled]);
        let error = way.begin_of(dir.path(), &nobody, &Plan::default()).unwrap_err();
        assert!(!error.why().is_empty(), "{way:?}");
        spared.expect_running();
        expect_nothing_left(dir.path(), &format!("{way:?}"));
    }
}

#[test]
fn what_fails_half_way_leaves_all_running_where_they_were() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let target = Ticker::start();
        let groups = groups_of(target.id());
        // At whichever look it fails.
        for fails_at in 1..5 {
            let asked = std::cell::Cell::new(0);
            let members = || {
                asked.set(asked.get() + 1);
                if asked.get() == fails_at {
                    return Err(crate::Error::not_applied("scan", "a test says so"));
                }
                Ok(vec![target.id()])
            };
            match way.begin_of(dir.path(), &members, &Plan::default()) {
                Ok(frozen) => {
                    assert!(fails_at > 1 && asked.get() < fails_at, "{way:?}: an error was passed over");
                    frozen.thaw().map(drop).unwrap();
                }
                Err(why) => assert_eq!(why.why(), "a test says so", "{way:?}"),
            }
            target.expect_running();
            assert_eq!(groups_of(target.id()), groups, "{way:?}");
            expect_nothing_left(dir.path(), &format!("{way:?}"));
        }
    }
}

#[test]
fn a_deadline_that_has_passed_freezes_nobody() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let target = Ticker::start();
        let plan = Plan { stop_within: Span::ZERO, ..Plan::default() };
        let error = way.begin_of(dir.path(), &families(&[target.id()]), &plan).unwrap_err();
        assert!(error.help().is_some(), "{way:?}: {error}");
        target.expect_running();
        expect_nothing_left(dir.path(), &format!("{way:?}"));
    }
}

#[test]
fn whoever_is_killed_while_he_is_held_ends_and_the_thaw_is_clean() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let (mut killed, other) = (Ticker::start(), Ticker::start());
        let frozen = way.begin(dir.path(), &[killed.id(), other.id()]).unwrap();
        killed.target.signal(Signal::SIGKILL);
        if way == Way::Cgroup1 {
            // The kernel's own limit: he ends at the thaw.
            host_clock::sleep(WATCHED);
            assert!(killed.target.child.try_wait().unwrap().is_none(), "{way:?}");
        } else {
            until("it ends", || killed.target.child.try_wait().unwrap().is_some());
        }
        other.expect_still(&format!("{way:?}"));
        frozen.thaw().unwrap();
        until("it has ended", || killed.target.child.try_wait().unwrap().is_some());
        other.expect_running();
        expect_nothing_left(dir.path(), &format!("{way:?}"));
    }
}

#[test]
fn all_die_while_they_are_held() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let mut target = Ticker::start();
        let frozen = way.begin(dir.path(), &[target.id()]).unwrap();
        target.target.signal(Signal::SIGKILL);
        if way != Way::Cgroup1 {
            target.target.child.wait().unwrap();
        }
        frozen.thaw().unwrap();
        target.target.child.wait().unwrap();
        expect_nothing_left(dir.path(), &format!("{way:?}"));
    }
}

#[test]
fn parents_in_vfork_are_held_or_the_freeze_says_that_they_cannot_be() {
    let _alone = alone();
    for way in Way::here() {
        let dir = tempfile::tempdir().unwrap();
        let parent = Target::helper("vfork", dir.path(), &[]);
        let members = families(&[parent.id]);
        until("both are in vfork", || {
            members().unwrap().len() == 4 && parents_in_vfork(&members().unwrap()) == 2
        });
        let plan = Plan { stop_within: Span::from_secs(1), ..Plan::default() };
        match way.begin_of(dir.path(), &members, &plan) {
            Ok(frozen) => {
                let held: BTreeSet<ProcessId> = frozen.report().processes.iter().map(|one| one.id).collect();
                assert_eq!(held.len(), 4, "{way:?}");
                frozen.thaw().unwrap();
            }
            Err(why) => {
                // The kernel does not stop a thread for its tracer there.
                assert_eq!(way, Way::Thread, "{why}");
                assert!(why.why().contains("in state D"), "{why}");
            }
        }
        assert_eq!(parents_in_vfork(&members().unwrap()), 2, "{way:?}");
        expect_nothing_left(dir.path(), &format!("{way:?}"));
    }
}

/// How many threads wait in `vfork`.
fn parents_in_vfork(all: &[ProcessId]) -> usize {
    let tasks = all.iter().flat_map(|id| {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", id.pid)).into_iter().flatten().flatten();
        tasks.map(|task| std::fs::read_to_string(task.path().join("stat")).unwrap_or_default())
    });
    tasks.filter(|stat| stat.contains(") D ")).count()
}
