//! Freezes of the same processes at the same time, by the same and by other means.

use super::*;

#[test]
fn two_freezes_in_every_order_hold_until_the_last_ends() {
    let _alone = alone();
    let ways = Way::here();
    for first in &ways {
        for second in &ways {
            for first_ends_first in [true, false] {
                overlap([*first, *second], first_ends_first);
            }
        }
    }
}

fn overlap(ways: [Way; 2], first_ends_first: bool) {
    let what = format!("{:?} and then {:?}, the first ends first: {first_ends_first}", ways[0], ways[1]);
    let dir = tempfile::tempdir().unwrap();
    let ticker = Ticker::start();
    let groups = groups_of(ticker.id());
    let first = ways[0].begin(dir.path(), &[ticker.id()]).unwrap_or_else(|why| panic!("{what}: {why}"));
    let since = first.report().last_confirmed;
    let plan = Plan { stop_within: Span::from_millis(500), ..Plan::default() };
    let second = ways[1].begin_of(dir.path(), &families(&[ticker.id()]), &plan);
    match second {
        Ok(second) => {
            assert_eq!(second.report().found_stopped, [], "{what}");
            ticker.expect_still_since(since, &what);
            let (next, last) = if first_ends_first { (first, second) } else { (second, first) };
            next.thaw().unwrap_or_else(|why| panic!("{what}: {why}"));
            ticker.expect_still_since(since, &what);
            last.thaw().unwrap_or_else(|why| panic!("{what}: {why}"));
        }
        Err(why) => {
            assert!(exclude_each_other(ways), "{what}: {why}");
            assert!(why.help().is_some(), "{what}: {why}");
            ticker.expect_still_since(since, &what);
            first.thaw().unwrap();
        }
    }
    ticker.expect_running();
    assert_eq!(groups_of(ticker.id()), groups, "{what}: it is not back in its control groups");
    assert!(!is_stopped(ticker.id()), "{what}");
    expect_nothing_left(dir.path(), &what);
}

/// Which freezes cannot hold the same thread, by the kernel's own limits: a thread has one tracer; one that is frozen in a
/// group of version 1 takes no stop, and none of these two kinds of groups counts whom the other has frozen.
fn exclude_each_other(ways: [Way; 2]) -> bool {
    use Way::{Cgroup1, Cgroup2, Thread};
    [[Thread, Thread], [Cgroup1, Thread], [Cgroup1, Cgroup2], [Cgroup2, Cgroup1]].contains(&ways)
}

#[test]
fn an_overlapping_freeze_whose_makers_were_killed_is_undone_alone() {
    let _alone = alone();
    for way in Way::here() {
        for other in Way::here() {
            if exclude_each_other([way, other]) {
                continue;
            }
            let what = format!("{way:?}, and {other:?} is killed");
            let dir = tempfile::tempdir().unwrap();
            let ticker = Ticker::start();
            let groups = groups_of(ticker.id());
            let frozen = way.begin(dir.path(), &[ticker.id()]).unwrap();
            let since = frozen.report().last_confirmed;
            let mut controller = other.controller("hold", dir.path(), &[ticker.id()]);
            until("it holds as well", || {
                let records = records(dir.path()).unwrap();
                records.len() == 2 && records.iter().all(|record| record.since.is_some())
            });
            controller.kill();
            until("its guards undo it", || records(dir.path()).unwrap().len() == 1);
            ticker.expect_still_since(since, &what);
            frozen.thaw().unwrap();
            ticker.expect_running();
            assert_eq!(groups_of(ticker.id()), groups, "{what}");
            expect_nothing_left(dir.path(), &what);
        }
    }
}

#[test]
fn three_freezes_of_mixed_means_hold_until_the_last_ends() {
    let _alone = alone();
    let ways: Vec<Way> = Way::here().into_iter().filter(|way| *way != Way::Cgroup1).collect();
    for ends in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let dir = tempfile::tempdir().unwrap();
        let ticker = Ticker::start();
        let groups = groups_of(ticker.id());
        let begun = ways.iter().map(|way| Some(way.begin(dir.path(), &[ticker.id()]).unwrap()));
        let mut held: Vec<Option<Frozen>> = begun.collect();
        let ends = ends.into_iter().filter(|end| *end < ways.len());
        for (ended, end) in ends.enumerate() {
            ticker.expect_still(&format!("{ways:?}, {ended} ended"));
            held[end].take().unwrap().thaw().unwrap();
        }
        ticker.expect_running();
        assert_eq!(groups_of(ticker.id()), groups);
        expect_nothing_left(dir.path(), "three");
    }
}

/// Control groups of version 2 of a test's own, removed at its end.
struct Groups(Vec<PathBuf>);

impl Groups {
    fn make(count: usize, top: &Path) -> std::io::Result<Groups> {
        let mut made = Groups(Vec::new());
        for number in 0..count {
            let path = top.join(format!("ft-test-{}-{number}", std::process::id()));
            std::fs::create_dir(&path)?;
            made.0.push(path);
        }
        Ok(made)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for path in &self.0 {
            until("the group can be removed", || std::fs::remove_dir(path).is_ok());
        }
    }
}

/// Where a hierarchy is mounted that freezes by this way can use.
fn top_of(way: Way) -> PathBuf {
    let own = groups_of(ProcessId::own().unwrap());
    let hybrid = Path::new("/sys/fs/cgroup/unified");
    let (top, line) = match way {
        Way::Cgroup1 => {
            (Path::new("/sys/fs/cgroup/freezer"), own.lines().find(|line| line.contains("freezer")))
        }
        _ if hybrid.exists() => (hybrid, own.lines().find(|line| line.starts_with("0:"))),
        _ => (Path::new("/sys/fs/cgroup"), own.lines().find(|line| line.starts_with("0:"))),
    };
    let group = line.and_then(|line| line.rsplit(':').next()).unwrap();
    top.join(group.trim_start_matches('/'))
}

#[test]
fn each_goes_back_to_the_group_he_came_from_and_too_many_groups_are_refused() {
    let _alone = alone();
    for way in Way::here().into_iter().filter(|way| matches!(way, Way::Cgroup2 | Way::Cgroup1)) {
        let dir = tempfile::tempdir().unwrap();
        let groups = match Groups::make(33, &top_of(way)) {
            Ok(groups) => groups,
            Err(why) => {
                println!("not shown here: {way:?}: {why}");
                continue;
            }
        };
        let targets: Vec<Target> = groups.0.iter().map(|_| Target::sleeper()).collect();
        let ids: Vec<ProcessId> = targets.iter().map(|target| target.id).collect();
        for (id, group) in ids.iter().zip(&groups.0) {
            std::fs::write(group.join("cgroup.procs"), id.pid.to_string()).unwrap();
        }
        let before: Vec<String> = ids.iter().copied().map(groups_of).collect();
        let error = way.begin(dir.path(), &ids).unwrap_err();
        assert!(error.why().contains("too many control groups"), "{error}");
        assert!(error.help().is_some());
        assert_eq!(ids.iter().copied().map(groups_of).collect::<Vec<_>>(), before);
        assert!(!ids.iter().any(|id| is_stopped(*id)));
        expect_nothing_left(dir.path(), "33 groups");
        let frozen = way.begin(dir.path(), &ids[..32]).unwrap();
        assert_ne!(groups_of(ids[0]), before[0]);
        frozen.thaw().unwrap();
        assert_eq!(ids.iter().copied().map(groups_of).collect::<Vec<_>>(), before);
        expect_nothing_left(dir.path(), "32 groups");
        drop(targets);
    }
}
