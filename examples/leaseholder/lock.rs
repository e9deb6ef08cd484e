//! The lock service. `acquire` is answered with `TOKEN LEASE_MS` once the lock is free, or the lease before has run out;
//! `release TOKEN` with `ok`.

use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{number, serve};

/// Who is served, and until when the lock is held.
struct State {
    /// The newest token: greater than all before.
    token: u64,
    until: Instant,
    /// Who asks takes a number, and is served when it is his turn.
    last_number: u64,
    turn: u64,
}

/// Grants leases of this length, one at a time.
pub fn run(port: u16, lease: Duration) -> io::Result<()> {
    let state = Mutex::new(State { token: 0, until: Instant::now(), last_number: 0, turn: 1 });
    let changed = Condvar::new();
    serve(port, |words| match words {
        ["acquire"] => format!("{} {}", acquire(&state, &changed, lease), lease.as_millis()),
        ["release", token] => match number(Some(token)) {
            Ok(token) => release(&state, &changed, token),
            Err(why) => format!("refused: {why}"),
        },
        _ => "refused: acquire, or release TOKEN".to_owned(),
    })
}

fn acquire(state: &Mutex<State>, changed: &Condvar, lease: Duration) -> u64 {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.last_number += 1;
    let mine = state.last_number;
    loop {
        let left = state.until.saturating_duration_since(Instant::now());
        if state.turn == mine && left.is_zero() {
            break;
        }
        // Whose turn it is not is woken when it is.
        let wait = if state.turn == mine { left } else { lease };
        state = changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
    }
    state.turn += 1;
    state.token += 1;
    state.until = Instant::now() + lease;
    changed.notify_all();
    state.token
}

fn release(state: &Mutex<State>, changed: &Condvar, token: u64) -> String {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    // A lease that has run out is another one's by now.
    if token == state.token {
        state.until = Instant::now();
        changed.notify_all();
    }
    "ok".to_owned()
}
