//! Nodes that are made, found and removed, also by several at once and by processes that die in between.

use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::super::base_dir::Wishes;
use super::super::files::write_file;
use super::*;
use crate::error::ErrorKind;

/// A default base directory in a scratch directory on tmpfs.
fn scratch() -> (TempDir, BaseDir) {
    let dir = tempfile::Builder::new().prefix("falseticker-test-").tempdir_in("/dev/shm").unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let wishes =
        Wishes { explicit: None, runtime_dir: None, shm: dir.path().to_owned(), ..Wishes::of_environment() };
    let base = BaseDir::choose(&wishes).unwrap();
    (dir, base)
}

fn name(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn fill(dir: &NodeDir) -> Result<()> {
    write_file(&dir.page(), b"page", 0o600)?;
    write_file(&dir.evidence(), b"evidence", 0o600).map(drop)
}

fn names(base: &BaseDir) -> Vec<String> {
    NodeDir::list(base).unwrap().iter().map(|node| node.name().to_string()).collect()
}

#[test]
fn a_node_is_made_listed_opened_and_removed() {
    let (dir, base) = scratch();
    assert!(names(&base).is_empty());
    for each in ["b", "a"] {
        let (node, ()) = NodeDir::create(&base, &name(each), Access::Private, fill).unwrap().unwrap();
        assert_eq!(node.path(), base.path().join(each));
        assert_eq!(node.path().metadata().unwrap().mode() & 0o7777, 0o700);
        assert!(node.page().exists() && node.evidence().exists());
    }
    assert_eq!(names(&base), ["a", "b"]);
    assert!(NodeDir::create(&base, &name("a"), Access::Private, fill).unwrap().is_none());
    for node in NodeDir::list(&base).unwrap() {
        assert_eq!(NodeDir::open(&base, node.name()).unwrap(), node);
        assert!(node.clone().remove().unwrap());
        assert!(!node.remove().unwrap());
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    let err = NodeDir::open(&base, &name("a")).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::BadInput);
    assert!(err.help().is_some());
}

#[test]
fn a_shared_node_can_be_reached_by_others() {
    let (_dir, base) = scratch();
    let (node, ()) = NodeDir::create(&base, &name("a"), Access::Shared, fill).unwrap().unwrap();
    assert_eq!(node.path().metadata().unwrap().mode() & 0o7777, 0o755);
    assert_eq!(base.path().metadata().unwrap().mode() & 0o7777, 0o711);
}

#[test]
fn a_node_that_cannot_be_filled_leaves_nothing() {
    let (dir, base) = scratch();
    let failed = NodeDir::create(&base, &name("a"), Access::Private, |dir| {
        fill(dir)?;
        Err::<(), _>(Error::not_applied("fill", "test"))
    });
    assert!(failed.is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_a_dead_process_left_is_swept_and_nothing_else() {
    let (_dir, base) = scratch();
    assert_eq!(sweep_half_made(&base).unwrap(), 0);
    NodeDir::create(&base, &name("kept"), Access::Private, fill).unwrap().unwrap();
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let alive = ProcessId::of(child.id().try_into().unwrap()).unwrap();
    let entry = |prefix: &str, id: ProcessId| {
        let path = base.path().join(format!("{prefix}{}-{}-x-y", id.pid, id.start_ticks));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("page"), "").unwrap();
        path
    };
    let recycled = ProcessId { start_ticks: alive.start_ticks + 1, ..alive };
    let stale = [entry(MAKING, recycled), entry(REMOVING, recycled)];
    let live = entry(MAKING, alive);
    let foreign = base.path().join(".tmp-x-1-y");
    fs::create_dir(&foreign).unwrap();
    assert_eq!(sweep_half_made(&base).unwrap(), 2);
    assert!(stale.iter().all(|path| !path.exists()) && live.exists() && foreign.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(sweep_half_made(&base).unwrap(), 1);
    assert_eq!(names(&base), ["kept"]);
}

#[test]
fn of_several_creators_one_wins_and_of_several_removers_too() {
    let (dir, base) = scratch();
    for round in 0..50 {
        let (barrier, made, removed) = (Barrier::new(4), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    let node = NodeDir::create(&base, &name("a"), Access::Private, fill).unwrap();
                    made.fetch_add(usize::from(node.is_some()), Ordering::Relaxed);
                    barrier.wait();
                    assert!(names(&base).len() <= 1);
                    let node = NodeDir::at(&base, &name("a"));
                    removed.fetch_add(usize::from(node.remove().unwrap()), Ordering::Relaxed);
                });
            }
        });
        assert_eq!((made.into_inner(), removed.into_inner()), (1, 1), "round {round}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn making_and_removing_at_once_never_gives_half_a_node() {
    let (dir, base) = scratch();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let made = NodeDir::create(&base, &name("a"), Access::Private, fill).unwrap();
                    if let Some((node, ())) = made {
                        assert!(node.page().exists() && node.evidence().exists());
                        assert!(node.remove().unwrap());
                    }
                }
            });
        }
    });
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
