//! A seat: who may change a waiter's deadline, the waiter or the helper, in one word and without a lock.
//!
//! A waiter claims a free seat, fills it in, opens it, sleeps, and leaves. While it is open the helper may begin an update. A
//! waiter never waits for the helper: leaving while an update is under way leaves the seat to the helper, which frees it.
//!
//! What must hold:
//! 1. Filling in and updating never overlap.
//! 2. After a change of the schedule's word either the waiter sees the change between opening and sleeping, or whoever saw the
//!    change first sees the seat open. Hence the two fences: [`Seat::open`] then a look at the word; a look at the word, then
//!    [`after_a_change`], then the seats.
//!
//! Part of this crate so that the model can be checked: `RUSTFLAGS="--cfg loom" cargo test -p falseticker-page --release seat`.

use crate::sync::{AtomicU64, Ordering, fence};

/// It may be updated.
const OPEN: u64 = 1 << 32;
/// It is being updated.
const BUSY: u64 = 1 << 33;
/// Its waiter has left meanwhile.
const LEFT: u64 = 1 << 34;

/// The word: the waiter's thread in the low half, and the bits above; 0 when free.
#[derive(Debug)]
pub struct Seat(AtomicU64);

impl Seat {
    /// A free seat.
    #[cfg(not(loom))]
    #[expect(clippy::new_without_default, reason = "for statics")]
    pub const fn new() -> Self {
        Seat(AtomicU64::new(0))
    }

    #[cfg(loom)]
    fn new() -> Self {
        Seat(AtomicU64::new(0))
    }

    /// Takes it for a thread, if it is free.
    pub fn claim(&self, thread: u32) -> bool {
        self.0.load(Ordering::Relaxed) == 0 && self.turn(0, u64::from(thread))
    }

    /// Lets updates begin. The waiter must look at the schedule's word after this, before it sleeps.
    pub fn open(&self, thread: u32) {
        self.0.store(u64::from(thread) | OPEN, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Takes it back to be filled in anew; `false` while it is updated, which is as good.
    pub fn close(&self, thread: u32) -> bool {
        self.turn(u64::from(thread) | OPEN, u64::from(thread))
    }

    /// Gives it up. One that is another's meanwhile (wiped in a forked child) is left alone.
    pub fn leave(&self, thread: u32) {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let own = u64::from(thread);
            let next = match seen {
                busy if busy == own | OPEN | BUSY => busy | LEFT,
                idle if idle & !OPEN == own => 0,
                _ => return,
            };
            match self.0.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Begins an update, if it is open and nobody else is at it.
    pub fn begin_update(&self) -> Option<Update<'_>> {
        let seen = self.0.load(Ordering::Acquire);
        let begun = seen & (OPEN | BUSY) == OPEN && self.turn(seen, seen | BUSY);
        // Not `then_some`: an update that never began must not end.
        begun.then(|| Update { seat: self, seen })
    }

    /// The thread that has it open; `None` if nobody has, or it is being updated.
    pub fn opened_by(&self) -> Option<u32> {
        #[expect(clippy::cast_possible_truncation, reason = "the thread is the low half")]
        let thread = |seen: u64| seen as u32;
        let seen = self.0.load(Ordering::Acquire);
        (seen & (OPEN | BUSY) == OPEN).then(|| thread(seen))
    }

    /// Whether it is open, also while it is updated.
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire) & OPEN != 0
    }

    /// Makes it a thread's, open, or free: in a forked child, where nobody else is left to be at it.
    pub fn reset(&self, opened_by: Option<u32>) {
        self.0.store(opened_by.map_or(0, |thread| u64::from(thread) | OPEN), Ordering::Release);
    }

    /// Frees one that its waiter, this thread, has open and will never leave.
    pub fn free(&self, thread: u32) -> bool {
        self.turn(u64::from(thread) | OPEN, 0)
    }

    fn turn(&self, from: u64, to: u64) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// Comes between a look at the schedule's word and the one through the seats.
pub fn after_a_change() {
    fence(Ordering::SeqCst);
}

/// A seat that is being updated, until this is dropped.
#[derive(Debug)]
pub struct Update<'a> {
    seat: &'a Seat,
    seen: u64,
}

impl Drop for Update<'_> {
    fn drop(&mut self) {
        if !self.seat.turn(self.seen | BUSY, self.seen) {
            // The waiter has left.
            self.seat.0.store(0, Ordering::Release);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_taken_once_updated_while_open_and_free_again() {
        let seat = Seat::new();
        assert!(seat.claim(7) && !seat.claim(8), "one waiter");
        assert!(seat.begin_update().is_none(), "not while it is filled in");
        seat.open(7);
        assert_eq!(seat.opened_by(), Some(7));
        drop(seat.begin_update().expect("it is open"));
        assert!(seat.close(7));
        seat.open(7);
        seat.leave(7);
        assert!(seat.claim(8));
    }

    #[test]
    fn one_that_is_left_during_an_update_is_freed_by_it() {
        let seat = Seat::new();
        assert!(seat.claim(7));
        seat.open(7);
        let update = seat.begin_update().expect("it is open");
        assert!(seat.begin_update().is_none(), "one update at a time");
        assert!(!seat.close(7), "not while it is updated");
        seat.leave(7);
        assert!(!seat.claim(8), "not free yet");
        drop(update);
        assert!(seat.claim(8));
    }

    #[test]
    fn one_that_was_wiped_is_left_alone() {
        let seat = Seat::new();
        seat.leave(7);
        assert!(seat.claim(8));
        seat.leave(7);
        seat.open(8);
        assert!(!seat.free(7));
        assert_eq!(seat.opened_by(), Some(8));
    }
}

/// The protocol under loom.
#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    const WAITER: u32 = 7;

    struct Shared {
        seat: Seat,
        /// The schedule's word: which version is current.
        word: AtomicU64,
        /// The version by which the deadline was made.
        deadline: [AtomicU64; 2],
    }

    impl Shared {
        fn new() -> Arc<Self> {
            let deadline = [AtomicU64::new(0), AtomicU64::new(0)];
            Arc::new(Shared { seat: Seat::new(), word: AtomicU64::new(1), deadline })
        }

        fn show(&self) -> u64 {
            let version = self.word.load(Ordering::Acquire);
            for half in &self.deadline {
                half.store(version, Ordering::Relaxed);
            }
            version
        }

        /// The waiter, until it sleeps.
        fn sit_down(&self) {
            assert!(self.seat.claim(WAITER));
            loop {
                let version = self.show();
                self.seat.open(WAITER);
                if self.word.load(Ordering::Acquire) == version || !self.seat.close(WAITER) {
                    return;
                }
            }
        }

        /// The helper, once it has seen that the word is `version`.
        fn refresh(&self) {
            after_a_change();
            if let Some(update) = self.seat.begin_update() {
                self.show();
                drop(update);
            }
        }

        fn shown(&self) -> [u64; 2] {
            [0, 1].map(|half| self.deadline[half].load(Ordering::Acquire))
        }
    }

    #[test]
    fn no_waiter_sleeps_by_a_schedule_that_is_past() {
        loom::model(|| {
            let shared = Shared::new();
            let publisher = {
                let shared = shared.clone();
                thread::spawn(move || shared.word.store(2, Ordering::Release))
            };
            let helper = {
                let shared = shared.clone();
                thread::spawn(move || {
                    let saw = shared.word.load(Ordering::Acquire) == 2;
                    if saw {
                        shared.refresh();
                    }
                    saw
                })
            };
            shared.sit_down();
            publisher.join().expect("the publisher ends");
            // A helper that has not seen the change yet sees it now.
            if !helper.join().expect("the helper ends") {
                shared.refresh();
            }
            assert_eq!(shared.shown(), [2, 2]);
        });
    }

    #[test]
    fn a_seat_that_is_taken_again_is_never_updated_for_the_one_who_left() {
        loom::model(|| {
            let shared = Shared::new();
            shared.sit_down();
            let helper = {
                let shared = shared.clone();
                thread::spawn(move || shared.refresh())
            };
            shared.seat.leave(WAITER);
            let again = shared.seat.claim(WAITER);
            if again {
                for half in &shared.deadline {
                    half.store(9, Ordering::Relaxed);
                }
            }
            helper.join().expect("the helper ends");
            if again {
                assert_eq!(shared.shown(), [9, 9], "an update came over a seat that was being filled in");
            } else {
                assert!(shared.seat.claim(WAITER), "the helper has freed it");
            }
        });
    }
}
