//! One suite for all freezers: the duties that their trait numbers, shown of each.
//!
//! Targets are programs that note the instant at which each thread last ran; so whether they stand still is seen by what
//! they do, and not by what the kernel says of their state. What a machine cannot show (it has no control groups that can
//! be written, or no version 1) is said and passed over.

mod duties;
mod ends;
mod overlaps;
mod threads;

pub(super) use threads::count_signals;

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::super::begin::begin_by;
use super::super::cgroup::CgroupFreezer;
use super::super::freezer::Freezer;
use super::super::signal::SignalFreezer;
use super::super::thread::ThreadFreezer;
use super::*;

/// How long a target is watched that must not move: it runs every 0.2 ms if it can.
const WATCHED: Span = Span::from_millis(20);

/// A freezer, and of control groups the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Signal,
    Cgroup2,
    Cgroup1,
    Thread,
}

impl Way {
    const ALL: [Way; 4] = [Way::Signal, Way::Cgroup2, Way::Cgroup1, Way::Thread];

    /// Those that can be shown here.
    fn here() -> Vec<Way> {
        let can_be_shown = |way: &Way| {
            let (Way::Cgroup2 | Way::Cgroup1) = way else { return true };
            let (dir, target) = (tempfile::tempdir().unwrap(), Target::sleeper());
            match way.begin(dir.path(), &[target.id]) {
                Ok(frozen) => frozen.thaw().is_ok(),
                Err(why) => {
                    println!("not shown here: {way:?}: {why}");
                    false
                }
            }
        };
        Way::ALL.into_iter().filter(can_be_shown).collect()
    }

    /// By what its `Debug` says.
    pub(super) fn named(name: &str) -> Way {
        Way::ALL.into_iter().find(|way| format!("{way:?}") == name).unwrap()
    }

    fn freezer(self) -> Box<dyn Freezer> {
        match self {
            Way::Signal => Box::new(SignalFreezer),
            Way::Cgroup2 => Box::new(CgroupFreezer::of_version(2)),
            Way::Cgroup1 => Box::new(CgroupFreezer::of_version(1)),
            Way::Thread => Box::new(ThreadFreezer::new(Vec::new())),
        }
    }

    fn begin(self, dir: &Path, roots: &[ProcessId]) -> Result<Frozen> {
        self.begin_of(dir, &families(roots), &Plan::default())
    }

    pub(super) fn begin_of(self, dir: &Path, members: &dyn Members, plan: &Plan) -> Result<Frozen> {
        begin_by((self.freezer(), String::new()), dir, members, plan, &mut || Ok(plan.end))
    }

    /// A controller of its own process, which is to be killed.
    fn controller(self, mode: &str, dir: &Path, targets: &[ProcessId]) -> Target {
        let targets: Vec<String> =
            targets.iter().map(|id| format!("{}:{}", id.pid, id.start_ticks)).collect();
        let mut command = helper_command(mode, dir, &targets.join(","));
        Target::spawn(command.env("FT_WAY", format!("{self:?}")))
    }
}

/// A program of several threads that note when they last ran.
struct Ticker {
    target: Target,
    file: File,
    _folder: tempfile::TempDir,
}

/// Its threads: three workers, and the one that made them.
const THREADS: usize = 4;

impl Ticker {
    fn start() -> Ticker {
        Ticker::start_as("ticks")
    }

    fn start_as(mode: &str) -> Ticker {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let path = folder.path().join("ticks");
        std::fs::write(&path, [0; 8 * THREADS]).unwrap();
        let file = File::open(&path).unwrap();
        let target = Target::helper(mode, &path, &[]);
        let ticker = Ticker { target, file, _folder: folder };
        ticker.expect_running();
        ticker
    }

    fn id(&self) -> ProcessId {
        self.target.id
    }

    /// When each thread last ran.
    fn last_ran(&self) -> [HostInstant; THREADS] {
        std::array::from_fn(|thread| {
            let mut nanos = [0; 8];
            self.file.read_exact_at(&mut nanos, 8 * u64::try_from(thread).unwrap()).unwrap();
            HostInstant::from_nanos(i64::from_ne_bytes(nanos))
        })
    }

    /// None of its threads runs, nor has run since an instant.
    #[track_caller]
    fn expect_still_since(&self, since: HostInstant, what: &str) {
        let first = self.last_ran();
        host_clock::sleep(WATCHED);
        assert_eq!(self.last_ran(), first, "{what}: it runs");
        assert!(first.iter().all(|ran| *ran <= since), "{what}: it ran at {first:?}, after {since:?}");
    }

    #[track_caller]
    fn expect_still(&self, what: &str) {
        self.expect_still_since(host_clock::monotonic(), what);
    }

    /// All of its threads run.
    #[track_caller]
    fn expect_running(&self) {
        let asked = host_clock::monotonic();
        until("all its threads run", || self.last_ran().iter().all(|ran| *ran > asked));
    }
}

/// What a ticker does; `path` is the file of its instants.
pub(super) fn tick_for_ever(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    let tick = |thread: usize| {
        loop {
            let now = host_clock::monotonic().as_nanos().to_ne_bytes();
            file.write_all_at(&now, 8 * u64::try_from(thread).unwrap()).unwrap();
            host_clock::sleep(Span::from_nanos(200_000));
        }
    };
    std::thread::scope(|scope| {
        for thread in 1..THREADS {
            let worker = std::thread::Builder::new().name(format!("worker-{thread}"));
            worker.spawn_scoped(scope, move || tick(thread)).unwrap();
        }
        tick(0);
    });
}

/// The control groups of a process, of all hierarchies.
fn groups_of(id: ProcessId) -> String {
    std::fs::read_to_string(format!("/proc/{}/cgroup", id.pid)).unwrap()
}

/// The control groups that freezes of this directory have made and not removed.
fn groups_left(dir: &Path) -> Vec<PathBuf> {
    let node = dir.file_name().unwrap().to_string_lossy().into_owned();
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::from("/sys/fs/cgroup")]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("falseticker-") && name.contains(&node) {
                found.push(entry.path());
            }
            folders.push(entry.path());
        }
    }
    found
}

/// Nothing of any freeze is left.
#[track_caller]
fn expect_nothing_left(dir: &Path, what: &str) {
    until(&format!("{what}: the lock is let go of"), || nobody_holds_the_lock(dir));
    assert_eq!(records(dir).unwrap(), [], "{what}");
    assert_eq!(groups_left(dir), Vec::<PathBuf>::new(), "{what}");
}
