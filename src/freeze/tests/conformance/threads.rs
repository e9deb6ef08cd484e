//! What is of threads alone.

use super::*;

fn begin_by_pattern(dir: &Path, ticker: &Ticker, patterns: &[&str]) -> Result<Frozen> {
    let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
    let plan = Plan { how: How::Thread(patterns), ..Plan::default() };
    begin(dir, &families(&[ticker.id()]), &plan)
}

/// The thread of a name.
fn thread_called(id: ProcessId, name: &str) -> i32 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", id.pid)).unwrap();
    let called = |task: &std::fs::DirEntry| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    let task = tasks.flatten().find(called).unwrap();
    task.file_name().to_str().unwrap().parse().unwrap()
}

/// Threads 1 and up are the workers; those in `held` stand still, the others run.
#[track_caller]
fn expect_held_alone(ticker: &Ticker, held: &[usize]) {
    let before = ticker.last_ran();
    for thread in (0..THREADS).filter(|thread| !held.contains(thread)) {
        until("the others run", || ticker.last_ran()[thread] > before[thread]);
    }
    host_clock::sleep(WATCHED);
    let now = ticker.last_ran();
    for thread in held {
        assert_eq!(now[*thread], before[*thread], "thread {thread} runs");
    }
}

#[test]
fn named_threads_are_held_while_the_others_run() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let ticker = Ticker::start();
    let second = thread_called(ticker.id(), "worker-2").to_string();
    for (patterns, held) in [
        (vec!["worker-1"], vec![1]),
        (vec!["worker-[13]"], vec![1, 3]),
        (vec![second.as_str()], vec![2]),
        (vec!["worker-3", second.as_str()], vec![2, 3]),
        (vec!["worker*"], vec![1, 2, 3]),
    ] {
        let frozen = begin_by_pattern(dir.path(), &ticker, &patterns).unwrap();
        assert_eq!(frozen.report().processes.len(), held.len(), "{patterns:?}");
        assert!(frozen.report().processes.iter().all(|one| one.id == ticker.id() && one.tid.is_some()));
        expect_held_alone(&ticker, &held);
        frozen.thaw().unwrap();
        ticker.expect_running();
        expect_nothing_left(dir.path(), "threads");
    }
}

#[test]
fn a_pattern_that_matches_nothing_holds_nobody_and_says_what_there_is() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let ticker = Ticker::start();
    for pattern in ["nobody", "worker-4", "1"] {
        let error = begin_by_pattern(dir.path(), &ticker, &[pattern]).unwrap_err();
        assert!(error.why().contains("worker-1") && error.help().is_some(), "{error}");
        ticker.expect_running();
        expect_nothing_left(dir.path(), pattern);
    }
}

#[test]
fn one_holder_at_a_time_can_have_a_thread_and_others_can_have_the_rest() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let ticker = Ticker::start();
    let first = begin_by_pattern(dir.path(), &ticker, &["worker-1"]).unwrap();
    begin_by_pattern(dir.path(), &ticker, &["worker-[12]"]).unwrap_err();
    expect_held_alone(&ticker, &[1]);
    let second = begin_by_pattern(dir.path(), &ticker, &["worker-2"]).unwrap();
    expect_held_alone(&ticker, &[1, 2]);
    first.thaw().unwrap();
    expect_held_alone(&ticker, &[2]);
    second.thaw().unwrap();
    ticker.expect_running();
    expect_nothing_left(dir.path(), "two holders");
}

/// A program that leaves a byte for every SIGUSR1 that it has taken.
struct Signalled {
    target: Target,
    file: PathBuf,
    sent: usize,
}

impl Signalled {
    fn start(dir: &Path) -> Signalled {
        let target = Target::helper("signalled", dir, &[]);
        let file = dir.join("signalled");
        until("it listens", || file.exists());
        Signalled { target, file, sent: 0 }
    }

    fn taken(&self) -> usize {
        std::fs::read(&self.file).unwrap().len()
    }

    fn send(&mut self) {
        self.target.signal(Signal::SIGUSR1);
        self.sent += 1;
    }

    /// A standard signal that is pending already is no second one: so each is awaited.
    #[track_caller]
    fn expect_taken(&self) {
        until("every signal is taken", || self.taken() >= self.sent);
        assert_eq!(self.taken(), self.sent, "a signal came twice");
    }
}

#[test]
fn a_signal_to_held_threads_waits_and_is_taken_once() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let mut signalled = Signalled::start(dir.path());
    for round in 0..20 {
        let frozen = Way::Thread.begin(dir.path(), &[signalled.target.id]).unwrap();
        let before = signalled.taken();
        signalled.send();
        host_clock::sleep(Span::from_millis(2));
        assert_eq!(signalled.taken(), before, "round {round}: a held thread has taken a signal");
        if round % 3 == 0 {
            kill_guard(dir.path());
        }
        frozen.thaw().unwrap();
        signalled.expect_taken();
    }
    expect_nothing_left(dir.path(), "signals");
}

#[test]
fn no_signal_is_lost_by_threads_that_are_held_while_they_take_it_though_the_holder_is_killed() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let mut signalled = Signalled::start(dir.path());
    let id = signalled.target.id;
    std::thread::scope(|scope| {
        let dir = dir.path();
        let freezing = scope.spawn(move || {
            for round in 0..60 {
                let frozen = Way::Thread.begin(dir, &[id]).unwrap();
                host_clock::sleep(Span::from_nanos(37_000 * (round % 29)));
                if round % 2 == 0 {
                    kill_guard(dir);
                }
                frozen.thaw().unwrap();
            }
        });
        while !freezing.is_finished() {
            signalled.send();
            signalled.expect_taken();
        }
        freezing.join().unwrap();
    });
    println!("{} signals to a program whose threads were held 60 times", signalled.sent);
    expect_nothing_left(dir.path(), "signals");
}

fn kill_guard(dir: &Path) {
    let guard = guards_of(dir)[0];
    signal_to(guard, Signal::SIGKILL);
    until("it is gone", || !guard.is_alive());
}

/// What the program does that is sent signals: it leaves a byte for each.
pub(in super::super) fn count_signals(dir: &Path) {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, sigaction};
    use std::os::fd::AsRawFd;
    let file = File::options().append(true).create(true).open(dir.join("signalled.new")).unwrap();
    FILE.store(file.as_raw_fd(), std::sync::atomic::Ordering::SeqCst);
    let action = SigAction::new(SigHandler::Handler(leave_a_byte), SaFlags::SA_RESTART, SigSet::empty());
    #[expect(unsafe_code, reason = "a handler")]
    // SAFETY: the handler makes one raw call.
    unsafe {
        sigaction(Signal::SIGUSR1, &action).unwrap();
    }
    std::fs::rename(dir.join("signalled.new"), dir.join("signalled")).unwrap();
    loop {
        host_clock::sleep(Span::from_secs(1));
    }
}

static FILE: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(-1);

extern "C" fn leave_a_byte(_: i32) {
    let _ = crate::raw::write(FILE.load(std::sync::atomic::Ordering::SeqCst), b"x");
}
