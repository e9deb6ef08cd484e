//! A Rust program that ticks in the ways of std and of Tokio: this executable, started again. All count the monotonic clock.

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Condvar, Mutex, PoisonError};

use super::ticker::PERIOD;

/// The argument that makes this executable the program.
pub const TICKER: &str = "tick-in-rust";

const WAYS: [&str; 6] =
    ["Condvar", "recv_timeout", "park_timeout", "sleep", "tokio-interval", "tokio-timeout"];

static COUNTS: [AtomicU64; WAYS.len()] = [const { AtomicU64::new(0) }; WAYS.len()];

/// What it does; see [`super::ticker`] for what it is told and answers.
pub fn tick() -> ExitCode {
    let nobody = (Mutex::new(()), Condvar::new());
    forever(0, move || {
        let guard = nobody.0.lock().unwrap_or_else(PoisonError::into_inner);
        nobody.1.wait_timeout(guard, PERIOD).is_ok_and(|(_, result)| result.timed_out())
    });
    let (send, nothing) = channel::<()>();
    forever(1, move || {
        let _open = &send;
        nothing.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout)
    });
    forever(2, || {
        std::thread::park_timeout(PERIOD);
        true
    });
    forever(3, || {
        std::thread::sleep(PERIOD);
        true
    });
    std::thread::spawn(in_tokio);

    println!("ready {}", std::process::id());
    for line in std::io::stdin().lock().lines() {
        match line.as_deref() {
            Ok("ticks") => {
                for (way, count) in WAYS.iter().zip(&COUNTS) {
                    print!("{way}:{}:0 ", count.load(Ordering::Relaxed));
                }
                println!();
            }
            _ => println!("woken"),
        }
        let _ = std::io::stdout().flush();
    }
    ExitCode::SUCCESS
}

fn count(way: usize) {
    COUNTS[way].fetch_add(1, Ordering::Relaxed);
}

fn forever(way: usize, mut wait: impl FnMut() -> bool + Send + 'static) {
    std::thread::spawn(move || {
        loop {
            if wait() {
                count(way);
            }
        }
    });
}

fn in_tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime needs no more than memory").block_on(async {
        tokio::spawn(async {
            let mut interval = tokio::time::interval(PERIOD);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                interval.tick().await;
                count(4);
            }
        });
        loop {
            if tokio::time::timeout(PERIOD, std::future::pending::<()>()).await.is_err() {
                count(5);
            }
        }
    });
}
