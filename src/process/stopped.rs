//! Whether a process stands still: confirmed from /proc, since a signal that was sent is not yet a stop.
//!
//! What must hold: [`Stillness::Still`] is said only when no thread can run an instruction of the program before it
//! is resumed. A thread in an uninterruptible sleep counts once a stop awaits it: a parent in `vfork` stays in
//! `D` until its child has gone on, and that child is stopped as well.

use super::{ProcessId, State, stat};

/// Whether a process stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stillness {
    /// It has ended.
    Gone,
    /// Every thread is stopped or has a stop before it. `by_signal` if a signal did it, and not a tracer alone.
    Still {
        /// Whether it takes SIGCONT to go on.
        by_signal: bool,
    },
    /// At least one thread, in this state, is not stopped.
    Moving(State),
}

impl Stillness {
    /// Whether it stands still, whatever holds it.
    pub fn is_still(self) -> bool {
        matches!(self, Stillness::Still { .. })
    }
}

/// Whether a process stands still now.
pub fn stillness(id: ProcessId) -> Stillness {
    let mut buffer = stat::Buffer::new();
    let Some(leader) = stat::read(id.pid, &mut buffer).filter(|stat| stat.id() == id) else {
        return Stillness::Gone;
    };
    let (state, threads) = (leader.state, leader.threads);
    if threads > 1 {
        return of_threads(id);
    }
    if state.is_gone() {
        return Stillness::Gone;
    }
    match state {
        State::STOPPED => Stillness::Still { by_signal: true },
        State::TRACED => Stillness::Still { by_signal: false },
        State::DISK if stop_is_pending(id) => Stillness::Still { by_signal: true },
        moving => Stillness::Moving(moving),
    }
}

fn of_threads(id: ProcessId) -> Stillness {
    let Ok(listing) = std::fs::read_dir(format!("/proc/{}/task", id.pid)) else {
        return Stillness::Gone;
    };
    let (mut listed, mut stopped, mut asleep) = (0_u32, 0_u32, Vec::new());
    for tid in listing.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        let mut buffer = stat::Buffer::new();
        let Some(task) = stat::read_task(id.pid, tid, &mut buffer) else {
            continue;
        };
        listed += 1;
        match task.state {
            State::STOPPED => stopped += 1,
            State::DISK => asleep.push(tid),
            state if state.is_gone() || state == State::TRACED => {}
            moving => return Stillness::Moving(moving),
        }
    }
    // A group stop that one thread has taken part in awaits all others, and the signal is then pending no more.
    if stopped == 0 && asleep.iter().any(|tid| !stop_awaits(id, Some(*tid))) {
        return Stillness::Moving(State::DISK);
    }
    // Threads that were started while the directory was being read are missing from the list.
    let mut buffer = stat::Buffer::new();
    match stat::read(id.pid, &mut buffer).filter(|stat| stat.id() == id) {
        None => Stillness::Gone,
        Some(leader) if leader.threads <= listed => {
            Stillness::Still { by_signal: stopped > 0 || !asleep.is_empty() }
        }
        Some(leader) => Stillness::Moving(leader.state),
    }
}

/// Whether SIGSTOP has been sent to a process, which has not taken it yet.
pub fn stop_is_pending(id: ProcessId) -> bool {
    stop_awaits(id, None)
}

/// Whether SIGSTOP has been sent and awaits the process, or one thread of it.
fn stop_awaits(id: ProcessId, tid: Option<i32>) -> bool {
    const SIGSTOP: u64 = 1 << (libc::SIGSTOP - 1);
    let Ok(process) = procfs::process::Process::new(id.pid) else {
        return false;
    };
    let status = match tid {
        None => process.status(),
        Some(tid) => process.task_from_tid(tid).and_then(|task| task.status()),
    };
    status.is_ok_and(|status| (status.sigpnd | status.shdpnd) & SIGSTOP != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::PidFd;
    use nix::sys::signal::Signal;

    #[test]
    fn tells_moving_still_and_gone_apart() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let id = ProcessId::of(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(matches!(stillness(id), Stillness::Moving(_)));
        assert_eq!(stillness(ProcessId { start_ticks: id.start_ticks + 1, ..id }), Stillness::Gone);
        let handle = PidFd::open(id).unwrap().unwrap();
        handle.signal(Signal::SIGSTOP).unwrap();
        while stillness(id) != (Stillness::Still { by_signal: true }) {
            std::thread::yield_now();
        }
        handle.signal(Signal::SIGKILL).unwrap();
        assert!(handle.wait_exit(crate::HostInstant::MAX).unwrap());
        assert_eq!(stillness(id), Stillness::Gone);
        child.wait().unwrap();
    }

    #[test]
    fn a_program_with_a_running_thread_is_moving() {
        assert!(matches!(stillness(ProcessId::own().unwrap()), Stillness::Moving(_)));
    }
}
