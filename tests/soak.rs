//! The soak: freezes by whichever means, whose makers are killed at whichever instant, and nothing is ever left of them.
//!
//! `FALSETICKER_SOAK` says how many; `FALSETICKER_SEED` makes the same choices again (not the same instants: those are the
//! machine's).

use std::collections::BTreeMap;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::harness::{Lab, Live, alive, binary, cgroups, count_of, eventually, spec, state_of};

/// How many processes the node has, of two threads each.
const PROCESSES: usize = 50;
/// By when a freeze of so many has begun, and mostly is in force.
const LATEST_KILL: Duration = Duration::from_millis(120);

pub fn trials() -> Vec<Trial> {
    let soak =
        spec("soak: whoever of a freeze's makers is killed, at whatever instant, nothing is left of it");
    vec![soak.needs("cc", "gcc").shown_by(soak_of_all)]
}

/// Who is killed by SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Killed {
    Controller,
    OneGuard,
    AllGuards,
    All,
    /// All that are left once the command has returned.
    AllOfADetachedPause,
}

impl Killed {
    const KINDS: [Killed; 5] =
        [Killed::Controller, Killed::OneGuard, Killed::AllGuards, Killed::All, Killed::AllOfADetachedPause];

    /// Whether somebody is left who sees to the end of the pause.
    fn spares_somebody(self) -> bool {
        !matches!(self, Killed::All | Killed::AllOfADetachedPause)
    }
}

/// What came of the freezes by one means whose makers were killed in one way.
#[derive(Default)]
struct Counted {
    freezes: usize,
    /// How often somebody was held at the instant of the kill, by its own account.
    while_held: usize,
}

struct Soak<'a> {
    lab: &'a Lab,
    tree: Live,
    pids: Vec<i32>,
    counts: Vec<u64>,
    random: ChaCha8Rng,
    counted: BTreeMap<(&'static str, Killed), Counted>,
}

fn soak_of_all(lab: &Lab) {
    let rounds = count_of("FALSETICKER_SOAK", 40);
    let seed = count_of("FALSETICKER_SEED", usize::try_from(std::process::id()).unwrap_or(1));
    let mut ways = vec!["signal", "thread"];
    match cgroups::of_version_2() {
        Ok(()) => ways.push("cgroup"),
        Err(why) => eprintln!("without control groups: {why}"),
    }
    let mut soak = Soak::start(lab, u64::try_from(seed).unwrap_or(1));
    for round in 0..rounds {
        let way = ways[soak.random.random_range(0..ways.len())];
        let killed = Killed::KINDS[soak.random.random_range(0..Killed::KINDS.len())];
        let what = format!("round {round} of seed {seed}, {way}, killed: {killed:?}");
        let while_held = soak.freeze(way, killed);
        let counted = soak.counted.entry((way, killed)).or_default();
        counted.freezes += 1;
        counted.while_held += usize::from(while_held);
        soak.expect_nothing_left(&what, killed);
    }
    for ((way, killed), counted) in &soak.counted {
        eprintln!(
            "{way:8} {killed:20?} {:4} times, {:4} of them while it held",
            counted.freezes, counted.while_held
        );
    }
    assert!(
        rounds < 40 || soak.counted.values().any(|counted| counted.while_held > 0),
        "no kill came in time"
    );
    soak.tree.finish();
}

impl Soak<'_> {
    fn start(lab: &Lab, seed: u64) -> Soak<'_> {
        let program = lab.target("tree").path();
        let words =
            [program.as_os_str(), PROCESSES.to_string().as_ref(), "1".as_ref()].map(ToOwned::to_owned);
        let mut tree = lab.run(lab.own_name(), &[], words).live();
        let line = tree.line_where(|line| line.starts_with("pids"));
        let pids: Vec<i32> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        assert_eq!(pids.len(), PROCESSES);
        let random = ChaCha8Rng::seed_from_u64(seed);
        let mut soak = Soak { lab, tree, pids, counts: Vec::new(), random, counted: BTreeMap::new() };
        soak.counts = soak.ask_counts();
        soak
    }

    fn ask_counts(&mut self) -> Vec<u64> {
        self.tree.say("counts");
        let line = self.tree.line_where(|line| line.starts_with("counts"));
        line.split(' ').filter_map(|word| word.parse().ok()).collect()
    }

    /// Freezes, and kills who is to be killed; whether somebody was held just then.
    fn freeze(&mut self, way: &'static str, killed: Killed) -> bool {
        if killed == Killed::AllOfADetachedPause {
            self.lab.falseticker(["freeze", self.lab.own_name(), "--how", way]).expect_code(0);
            let held = self.somebody_is_held();
            kill_all(&self.guards());
            return held;
        }
        let lasts = format!("{}ms", self.random.random_range(1..80));
        let wait = self.random.random_range(Duration::ZERO..LATEST_KILL);
        let mut controller =
            self.lab.bare_live(binary(), ["freeze", self.lab.own_name(), "--how", way, "--for", &lasts]);
        std::thread::sleep(wait);
        let guards = self.guards();
        let held = self.somebody_is_held();
        match killed {
            Killed::Controller => controller.signal(Signal::SIGKILL),
            Killed::OneGuard if !guards.is_empty() => {
                send(guards[self.random.random_range(0..guards.len())], Signal::SIGKILL);
            }
            Killed::AllGuards => kill_all(&guards),
            Killed::All => {
                controller.signal(Signal::SIGSTOP);
                // It may have forked one just before.
                eventually("the controller stops", || {
                    (controller.has_ended() || state_of(controller.pid()) == Some('T')).then_some(())
                });
                let all: Vec<i32> = self.guards().into_iter().chain([controller.pid()]).collect();
                kill_all(&all);
            }
            Killed::OneGuard | Killed::AllOfADetachedPause => {}
        }
        controller.end();
        held
    }

    /// The guards that the locks of the node name.
    fn guards(&self) -> Vec<i32> {
        let named = (0..8).flat_map(|slot| {
            let lock = self.lab.nodes().join(self.lab.own_name()).join(format!("freeze-{slot}.lock"));
            let text = std::fs::read(lock).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let pids = text.lines().skip(1).filter_map(|line| line.split(' ').next()?.parse().ok());
            pids.collect::<Vec<i32>>()
        });
        named.filter(|pid| is_guard(*pid)).collect()
    }

    fn somebody_is_held(&self) -> bool {
        self.pids.iter().any(|pid| how_held(*pid).is_some())
    }

    /// Nobody is held, nobody guards, no control group is left, no lock is taken; and everyone has run since.
    fn expect_nothing_left(&mut self, what: &str, killed: Killed) {
        if !killed.spares_somebody() {
            self.lab.falseticker(["status", self.lab.own_name()]).expect_code(0);
            let held: Vec<_> = self.pids.iter().filter_map(|pid| Some((pid, how_held(*pid)?))).collect();
            assert!(held.is_empty(), "{what}: after the next command: {held:?}");
        }
        let left = || {
            let held: Vec<_> = self.pids.iter().filter_map(|pid| Some((pid, how_held(*pid)?))).collect();
            let guards: Vec<i32> =
                self.lab.processes().iter().map(|process| process.pid).filter(|pid| is_guard(*pid)).collect();
            let groups = cgroups::left_of(self.lab.own_name());
            let locks = self.locks_taken();
            let is_clean = held.is_empty() && guards.is_empty() && groups.is_empty() && locks == 0;
            (!is_clean).then(|| format!("held {held:?}, guards {guards:?}, groups {groups:?}, {locks} locks"))
        };
        let begun = std::time::Instant::now();
        while let Some(left) = left() {
            assert!(begun.elapsed() < crate::harness::PATIENCE, "{what}: left: {left}");
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(self.lab.status(self.lab.own_name())["frozen"].is_null(), "{what}");
        assert!(self.pids.iter().all(|pid| alive(*pid)), "{what}: a process has died");
        let before = std::mem::take(&mut self.counts);
        self.counts = eventually(&format!("{what}: all run"), || {
            let now = self.ask_counts();
            now.iter().zip(&before).all(|(now, before)| now > before).then_some(now)
        });
    }

    fn locks_taken(&self) -> usize {
        let is_taken = |slot: &usize| {
            let lock = self.lab.nodes().join(self.lab.own_name()).join(format!("freeze-{slot}.lock"));
            std::fs::File::options().write(true).open(lock).is_ok_and(|lock| !can_lock(&lock))
        };
        (0..8).filter(is_taken).count()
    }
}

fn can_lock(file: &std::fs::File) -> bool {
    let whole = nix::libc::flock {
        l_type: i16::try_from(nix::libc::F_WRLCK).unwrap_or_default(),
        l_whence: i16::try_from(nix::libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_OFD_SETLK(&whole)).is_ok()
}

fn send(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Kills them with no time for one to replace another.
fn kill_all(pids: &[i32]) {
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        pids.iter().for_each(|pid| send(*pid, signal));
        eventually("they stop, or end", || {
            let stopped = |pid: &i32| matches!(state_of(*pid), None | Some('T' | 'Z' | 'X'));
            pids.iter().all(stopped).then_some(())
        });
    }
}

fn is_guard(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "ft-guard")
        && alive(pid)
}

/// By what a process, or one of its threads, is held.
fn how_held(pid: i32) -> Option<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let by_thread = tasks.flatten().find_map(|task| {
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let is_held = |line: &&str| {
            line.starts_with("State:\tT")
                || line.starts_with("State:\tt")
                || line.strip_prefix("TracerPid:\t").is_some_and(|tracer| tracer != "0")
        };
        status.lines().find(is_held).map(str::to_owned)
    });
    let in_group =
        || cgroups::of_process(pid).contains("/falseticker-").then(|| "a control group".to_owned());
    by_thread.or_else(in_group)
}
