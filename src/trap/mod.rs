//! Traps: a thread is held right after it has read a clock, before it can act on what it saw. The gap between "is my lease
//! still valid?" and the write that follows is a few instructions long; no pause at a random instant finds it.
//!
//! [`Node::trap`](crate::Node::trap) arms one. The count of reads, and the choice, are made by the readers themselves
//! (the shim's `trap`), so the thread is held with no controller between its read and its next instruction.
//!
//! What must hold:
//! - One trap a node at a time: who arms holds a lock that the kernel releases when he dies.
//! - A trap ends by itself when its controller is killed or stopped: it is armed until [`AHEAD`] from now, and somebody has to
//!   say so again. There is no guard, since there is nothing to undo.
//! - A held thread goes on by a deadline of its own, whoever is dead. Ending a trap in any other way than by its last
//!   firing lets it go at once.
//! - While nothing is armed a read costs what it did. Arming publishes the schedules as they are once more, so that each
//!   reader's memory of them is stale; and while a trap is armed none of its readers remembers anything.

mod arm;
mod armed;
mod firing;
mod record;

pub use arm::arm;
pub use armed::{Armed, Counts};
pub use falseticker_page::trap::{LONGEST, On};
pub use firing::Firing;
pub use record::{Released, TrapStatus, release, status};

use crate::{Error, Result, Span};

/// How far ahead a trap is armed at a time.
pub const AHEAD: Span = Span::from_secs(2);
/// How often that is said again.
const RENEWED_EVERY: Span = Span::from_millis(500);

/// Which of the reads are picked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pick {
    /// The Nth from now on, and every Nth after that.
    Nth(u64),
    /// Each with this probability: above 0, 1 at most.
    Probability {
        /// The probability.
        probability: f64,
        /// The same seed picks the same reads, by their numbers.
        seed: u64,
    },
}

/// What becomes of the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It alone is held for so long; [`LONGEST`] at most.
    Thread(Span),
    /// It is held until [`Armed::freeze_node`] has frozen the whole node for so long; for [`BRIDGE`] at most, if nobody does.
    Node(Span),
    /// It is held until [`Armed::release`]; for a second at most.
    Briefly,
}

/// How long a thread waits at most for its node to be frozen.
pub const BRIDGE: Span = Span::from_secs(6);
const BRIEFLY: Span = Span::from_secs(1);

/// What a trap is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// What is waited for.
    pub on: On,
    /// Which of these.
    pub pick: Pick,
    /// After how many it is over.
    pub count: u32,
    /// What becomes of the thread.
    pub hold: Hold,
}

impl Plan {
    /// The next read of the wall clock, with the thread held for so long.
    pub fn next_wall_read(hold: Span) -> Self {
        Plan { on: On::Wall, pick: Pick::Nth(1), count: 1, hold: Hold::Thread(hold) }
    }

    /// As people say it: "read of wall".
    pub fn what(&self) -> String {
        what(self.on)
    }

    /// For how long a pause is asked.
    pub fn length(&self) -> Option<Span> {
        match self.hold {
            Hold::Thread(span) | Hold::Node(span) => Some(span),
            Hold::Briefly => None,
        }
    }

    fn hold_in_page(&self) -> Span {
        match self.hold {
            Hold::Thread(span) => span,
            Hold::Node(_) => BRIDGE,
            Hold::Briefly => BRIEFLY,
        }
    }

    fn pick_in_page(&self) -> falseticker_page::trap::Pick {
        use falseticker_page::trap::Pick as InPage;
        match self.pick {
            Pick::Nth(nth) => InPage::Nth(nth),
            Pick::Probability { probability, seed } => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a float that is too great becomes the greatest number, which is meant"
                )]
                let of_all = (probability * 2_f64.powi(64)) as u64;
                let threshold = if probability >= 1.0 { u64::MAX } else { of_all.saturating_sub(1) };
                InPage::Chance { threshold, seed }
            }
        }
    }

    /// Whether it can be meant at all.
    pub fn check(&self) -> Result<()> {
        let refuse = |why: &str, remedy: &str| {
            Err(Error::bad_input(format_args!("arm a trap on a {}", self.what()), why).remedy(remedy))
        };
        match self.pick {
            Pick::Nth(0) => return refuse("there is no read with the number 0", "the next one is --nth 1"),
            Pick::Probability { probability, .. } if !(probability > 0.0 && probability <= 1.0) => {
                return refuse("a probability is above 0, and 1 at most", "write it as --probability 0.01");
            }
            _ => {}
        }
        if self.count == 0 {
            return refuse("after 0 firings it is over before it begins", "leave --count out for one");
        }
        if self.length().is_some_and(|length| length <= Span::ZERO) {
            return refuse(
                "the pause must be longer than nothing",
                "give its length with --for, such as --for 5s",
            );
        }
        if matches!(self.hold, Hold::Thread(length) if length > LONGEST) {
            let why = "one thread is held for an hour at most, since nothing but its own deadline ends that for sure";
            return refuse(why, "shorten --for, or freeze everything with --hold node");
        }
        if let On::Connect(0) = self.on {
            return refuse("nobody connects to port 0", "give the port that the program connects to");
        }
        Ok(())
    }
}

/// What is waited for, in words.
fn what(on: On) -> String {
    match on {
        On::Wall => "read of wall".to_owned(),
        On::Mono => "read of mono".to_owned(),
        On::Connect(port) => format!("connect to port {port}"),
    }
}

#[cfg(test)]
mod tests;
