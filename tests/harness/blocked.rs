//! Threads that are known to wait, as the kernel shows it: in a call that waits, and in the same one a moment later.

use std::time::Duration;

use super::{Live, eventually};

/// futex, restart_syscall, clock_nanosleep, mq_timedsend, mq_timedreceive, futex_waitv
const WAITS: [&str; 6] = ["202", "219", "230", "242", "243", "449"];

fn wait_of(thread: i32) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{thread}/syscall")).ok()?;
    text.split(' ').next().is_some_and(|call| WAITS.contains(&call)).then_some(text)
}

/// Waits until every one of these threads is blocked in a wait.
#[track_caller]
pub fn until_blocked(threads: &[i32]) {
    for thread in threads {
        eventually(&format!("thread {thread} waits"), || {
            let first = wait_of(*thread)?;
            std::thread::sleep(Duration::from_micros(300));
            wait_of(*thread).filter(|second| *second == first)
        });
    }
}

/// Who waits, of a line "waits NAME TID".
#[track_caller]
pub fn thread_of(line: &str) -> i32 {
    let thread = line.rsplit(' ').next().and_then(|word| word.parse().ok());
    thread.unwrap_or_else(|| panic!("no thread's id in {line:?}"))
}

impl Live {
    /// Takes so many lines "waits NAME TID", which targets say of threads that are about to wait, and waits until they do.
    #[track_caller]
    pub fn until_waiting(&mut self, threads: usize) {
        self.until_waiting_as("", threads);
    }

    /// The same of those whose name begins so; what is said of others is passed over.
    #[track_caller]
    pub fn until_waiting_as(&mut self, name: &str, threads: usize) {
        let mut waiting = Vec::new();
        while waiting.len() < threads {
            let line = self.line_where(|line| line.starts_with(&format!("waits {name}")));
            waiting.push(thread_of(&line));
        }
        until_blocked(&waiting);
    }
}
