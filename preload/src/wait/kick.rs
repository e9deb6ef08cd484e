//! A kick: after a change of the schedule every deadline in the registry is put where it now is, and its waiter woken, so that
//! libc goes round its loop and looks at the deadline again.
//!
//! Which word libc sleeps on is not known, but where it lies is: inside the object that the program waits on (for a private
//! condition of musl's, in the frame of its wait). A wake of a word that nobody sleeps on costs a quarter of a microsecond and does
//! nothing, so all of an object's words are woken. *Why not the word that /proc/self/task/TID/syscall shows*: reading that
//! takes descriptors and calls that a sandbox may refuse or punish, and is slower.
//!
//! What must hold: each object is woken once a round, however many wait on it, or a thousand waiters would wake each other a
//! thousand times.

use core::sync::atomic::{AtomicUsize, Ordering};

use falseticker_page::layout::Page;
use falseticker_page::seat;
use falseticker_page::time::{HostInstant, Span};

use super::registry::{Entry, Refreshed, entries};
use super::{Object, due};
use crate::abi::clock;
use crate::read::host_instant;
use crate::sys::{self, futex};

/// Puts all deadlines where they now are, after the page's word was looked at: what became of them altogether.
pub fn refresh(page: &Page) -> Refreshed {
    seat::after_a_change();
    let mut all = Refreshed::Same;
    for entry in entries() {
        match entry.refresh(|deadline| deadline.due(page)) {
            Refreshed::Unknown => all = Refreshed::Unknown,
            Refreshed::Moved if all == Refreshed::Same => all = Refreshed::Moved,
            _ => {}
        }
    }
    all
}

/// Who is to be woken again after a round.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nobody.
    Nobody,
    /// Whoever may not have looked at its deadline yet.
    Some,
    /// Whoever was left to sleep until this instant, when the change takes effect.
    UntilShown(HostInstant),
}

/// Wakes the waiters whose deadline has moved since they began.
pub fn wake(page: &Page, met: &mut Met) -> Left {
    met.clear();
    let (mut any, mut is_ahead) = (false, false);
    let now = host_instant(clock::MONOTONIC);
    let ahead = now.and_then(|now| due::until_change(page, now)).filter(|ahead| *ahead > Span::ZERO);
    for entry in entries().filter(|entry| entry.has_moved()) {
        if ahead.is_some() && entry.is_for_a_length() {
            is_ahead = true;
            continue;
        }
        // What was right when the change was published may be far off now that it has taken effect.
        let is_steady = entry.renew(|deadline| deadline.due(page));
        let has_looked = wake_waiter(entry, met) && is_steady;
        if has_looked {
            entry.settle();
        }
        any |= !has_looked;
    }
    match now.zip(ahead).filter(|_| is_ahead) {
        Some((now, ahead)) => Left::UntilShown(now.saturating_add(ahead)),
        None if any => Left::Some,
        None => Left::Nobody,
    }
}

/// Wakes a waiter; whether it surely slept, and so looks at its deadline now: where nobody else sleeps on its word.
fn wake_waiter(entry: &Entry, met: &mut Met) -> bool {
    let Object { at, length, on_stack, is_own } = entry.object();
    if on_stack && wake_on_stack(entry.stack()) {
        return true;
    }
    let mut woken = 0;
    if met.is_new(at) {
        for word in (at..at.saturating_add(length)).step_by(4) {
            // Whether it is shared with other processes is libc's to know.
            woken += sys::futex::wake(word, futex::PRIVATE) + sys::futex::wake(word, 0);
        }
    }
    is_own && woken > 0
}

/// How far below the end of the caller's stack the frame of libc's wait reaches.
const FRAME: usize = 384;

/// How far below it the words were that were found: a function of libc's has its word in one place. 0 for none.
static FOUND: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

/// Wakes whoever sleeps on a word of libc's frame below `end`.
fn wake_on_stack(end: usize) -> bool {
    let sleeps_at = |below: usize| sys::futex::wake(end.saturating_sub(below), futex::PRIVATE) > 0;
    if FOUND.iter().map(|found| found.load(Ordering::Relaxed)).take_while(|below| *below != 0).any(sleeps_at)
    {
        return true;
    }
    let Some(below) = (4..=FRAME).step_by(4).find(|below| sleeps_at(*below)) else { return false };
    if let Some(free) = FOUND.iter().find(|found| found.load(Ordering::Relaxed) == 0) {
        free.store(below, Ordering::Relaxed);
    }
    true
}

/// How many objects of a round are remembered; of more, some are woken more than once.
const ROOM: usize = 4096;

/// The objects that a round has met.
pub struct Met {
    places: [usize; ROOM],
    count: usize,
}

impl Met {
    /// None.
    pub const fn new() -> Self {
        Met { places: [0; ROOM], count: 0 }
    }

    fn clear(&mut self) {
        if self.count > 0 {
            self.places = [0; ROOM];
            self.count = 0;
        }
    }

    /// Whether an object is met for the first time.
    fn is_new(&mut self, at: usize) -> bool {
        if self.count >= ROOM / 2 {
            return true;
        }
        // Objects are aligned, so that their low bits say nothing.
        let mut index = (at >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
        loop {
            match self.places.get_mut(index % ROOM) {
                Some(place) if *place == at => return false,
                Some(place) if *place == 0 => {
                    *place = at;
                    self.count += 1;
                    return true;
                }
                _ => index += 1,
            }
        }
    }
}
