//! What the player and a keeper say to one another: lines of JSON over a socket.

use serde::{Deserialize, Serialize};

/// What the player says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToKeeper {
    /// Start the program, for the first time or again.
    Start,
    /// When to stop it, should the player be gone.
    Until {
        /// By the host's CLOCK_MONOTONIC.
        end_ns: i64,
    },
    /// Stop it, and end.
    Stop,
}

/// What a keeper says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromKeeper {
    /// The program runs.
    Started {
        /// Its process.
        pid: i32,
        /// Just before it could execute anything.
        at_ns: i64,
    },
    /// It could not be started.
    NotStarted {
        /// Why.
        why: String,
    },
    /// It has written a line.
    Output {
        /// Whether on its standard error.
        err: bool,
        /// What.
        line: String,
        /// It had not been written here.
        since_ns: i64,
        /// It had been read here.
        at_ns: i64,
    },
    /// It has ended; all that it had written was told before.
    Exited {
        /// Its process.
        pid: i32,
        /// Its exit code.
        code: Option<i32>,
        /// Or the signal that killed it.
        signal: Option<i32>,
        /// When that was noticed.
        at_ns: i64,
    },
}
