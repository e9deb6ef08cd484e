//! What the tests are written in: a [`Lab`] with commands, programs and targets, and a [`Spec`] that runs in one.

mod beats;
mod blocked;
mod browser;
pub mod cgroups;
mod command;
pub mod container;
mod lab;
mod live;
mod probe;
mod processes;
mod spec;
mod target;

pub use beats::Beats;
pub use blocked::{thread_of, until_blocked};
pub use browser::Browser;
pub use command::{Command, Done};
pub use lab::{Lab, binary};
pub use live::Live;
pub use probe::{Probe, Reading};
pub use processes::{alive, state_of, tracer_of};
pub use spec::{Spec, catch_panics, spec};
pub use target::{Target, clear as clear_targets, source};

use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// How long anything may take that is expected to happen. Generous, nothing is measured by it: on a machine that computes with all it
/// has, the kernel's own threads were seen to wait for 20 s, and with them whoever is moved into a control group.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One second, one millisecond, in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;
pub const MILLISECOND: i64 = 1_000_000;

/// Waits until something is so that has no event of its own; panics after [`PATIENCE`].
#[track_caller]
pub fn eventually<T>(what: &str, mut is_so: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = is_so() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The host's CLOCK_MONOTONIC, in nanoseconds.
pub fn mono() -> i64 {
    falseticker::host_clock::monotonic().as_nanos()
}

/// A count from a variable, with a default; it is said which one is used.
pub fn count_of(variable: &str, default: usize) -> usize {
    let count = std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(default);
    eprintln!("{variable}={count}");
    count
}

/// Takes signals as a terminal's shell hands them on: what runs the tests in the background may have had them ignored, and
/// every program that they start would inherit that.
#[expect(unsafe_code, reason = "setting dispositions; none of them is a handler")]
pub fn default_signals() {
    use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
    for each in
        [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2]
    {
        // SAFETY: the default action runs no code of this process.
        let _ = unsafe { signal(each, SigHandler::SigDfl) };
    }
    let _ = SigSet::all().thread_unblock();
}

/// Makes the tests a process group of their own, where no terminal would miss them in its foreground. In one whose leader has no
/// parent in the session (a script that a container runs) the kernel sends SIGHUP to all of it, when the last program that a
/// keeper started ends and another is stopped; and tests stop programs.
pub fn own_group() {
    use std::io::IsTerminal;
    if !std::io::stdin().is_terminal() {
        let _ = nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0));
    }
}

/// Ports on loopback that nobody has right now, each another.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners =
        [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port"));
    listeners.map(|listener| listener.local_addr().expect("it has an address").port())
}
