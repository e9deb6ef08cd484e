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

use falseticker_page::layout::Page;
use falseticker_page::seat;

use super::Object;
use super::registry::{Entry, Refreshed, entries};
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

/// Wakes the waiters whose deadline has moved since they began; whether there are any.
pub fn wake(page: &Page, met: &mut Met) -> bool {
    met.clear();
    let mut any = false;
    for entry in entries().filter(|entry| entry.has_moved()) {
        any = true;
        // What was right when the change was published may be far off now that it has taken effect.
        entry.renew(|deadline| deadline.due(page));
        wake_waiter(entry, met);
    }
    any
}

/// How far below the end of the caller's stack the frame of libc's wait reaches.
const FRAME: usize = 384;

fn wake_waiter(entry: &Entry, met: &mut Met) {
    let Object { at, length, on_stack } = entry.object();
    if on_stack {
        let end = entry.stack();
        for word in (end.saturating_sub(FRAME)..end).step_by(4) {
            sys::futex::wake(word, futex::PRIVATE);
        }
    }
    if met.is_new(at) {
        for word in (at..at.saturating_add(length)).step_by(4) {
            // Whether it is shared with other processes is libc's to know.
            sys::futex::wake(word, futex::PRIVATE);
            sys::futex::wake(word, 0);
        }
    }
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
