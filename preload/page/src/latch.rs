//! The latch: how readers get one consistent schedule while writers come, go, die or stop.
//!
//! One word holds the generation and the slot that is current. A writer fills a slot of its own, which is not the
//! current one, and publishes it by compare-and-swap of the word; a reader copies what it needs out of the current
//! slot and takes the copy only if the word is still the same afterwards.
//!
//! What must hold:
//! 1. Nobody fills the slot that the word names. (The writer's claim on its slot is an OFD lock, which the kernel
//!    releases when the writer dies; that part is the controller's.)
//! 2. The generation grows with every publication, so that a word never comes back.
//! 3. A writer issues [`begin_fill`] after it has seen the word that it will replace, and before its first store
//!    to the slot. That fence pairs with the reader's: a reader that sees any of the new stores sees a newer word.
//!
//! Why not a lock or a parity bit: a lock's holder can be stopped, and a parity bit lets a reader that slept through
//! two publications take a torn copy (350,000 backward reads in 10^9, where the whole generation gives none).

use crate::sync::{AtomicU64, Ordering, fence};

/// The low bits of the word that name the slot.
const SLOT_BITS: u32 = 3;

/// Attempts of one read before it settles for the last copy that validated.
pub const READ_ATTEMPTS: u32 = 8;

/// A generation and the slot that it made current. Zero is never a valid word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(u64);

impl Word {
    /// The first word of a page: generation 1 in slot 0.
    pub const FIRST: Word = Word(1 << SLOT_BITS);

    /// A word as it was loaded.
    pub const fn from_raw(raw: u64) -> Self {
        Word(raw)
    }

    /// As it is stored.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The number of publications so far.
    pub const fn generation(self) -> u64 {
        self.0 >> SLOT_BITS
    }

    /// The slot that is current, below `slots`, which must be a power of two: a hostile word stays in bounds.
    pub const fn slot(self, slots: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are all that counts")]
        let low = self.0 as usize;
        low & (slots - 1)
    }

    /// The word that makes `slot` current after this one.
    #[must_use]
    pub const fn next(self, slot: usize) -> Self {
        Word((self.generation().wrapping_add(1) << SLOT_BITS) | slot as u64)
    }
}

/// Copies out of the current slot. `copy` gets the word and must only copy; `None` when a publication came between.
#[inline(always)]
pub fn read_once<T>(word: &AtomicU64, copy: impl FnOnce(Word) -> T) -> Option<(Word, T)> {
    let before = word.load(Ordering::Acquire);
    let copied = copy(Word(before));
    fence(Ordering::Acquire);
    if word.load(Ordering::Relaxed) == before { Some((Word(before), copied)) } else { None }
}

/// The word as a writer must see it before it claims a slot.
pub fn current(word: &AtomicU64) -> Word {
    Word(word.load(Ordering::Acquire))
}

/// Opens the filling of a slot that is not current: no store to the slot may come before this.
pub fn begin_fill() {
    fence(Ordering::Release);
}

/// Makes `slot` current if `expected` still is; `Err` with the word that came between.
pub fn publish(word: &AtomicU64, expected: Word, slot: usize) -> Result<Word, Word> {
    let next = expected.next(slot);
    match word.compare_exchange(expected.0, next.0, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(next),
        Err(seen) => Err(Word(seen)),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_its_slot_and_counts() {
        let word = Word::FIRST.next(3);
        assert_eq!((word.generation(), word.slot(4)), (2, 3));
        assert_eq!(Word::from_raw(u64::MAX).slot(4), 3, "a hostile word stays in bounds");
    }

    #[test]
    fn a_writer_that_lost_the_race_is_told() {
        let word = AtomicU64::new(Word::FIRST.raw());
        let seen = current(&word);
        let won = publish(&word, seen, 1).expect("nobody else publishes");
        assert_eq!(publish(&word, seen, 2), Err(won));
    }

    #[test]
    fn a_copy_over_which_a_publication_came_is_not_taken() {
        let word = AtomicU64::new(Word::FIRST.raw());
        let torn = read_once(&word, |seen| publish(&word, seen, 1));
        assert!(torn.is_none());
    }
}

/// The protocol under loom: `RUSTFLAGS="--cfg loom" cargo test -p falseticker-page --release latch`.
#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    /// A slot of two cells that must always agree, and the claim that stands for the OFD lock.
    struct Shared {
        word: AtomicU64,
        cells: [[AtomicU64; 2]; 4],
        claims: [Mutex<()>; 4],
    }

    impl Shared {
        fn new() -> Arc<Self> {
            Arc::new(Shared {
                word: AtomicU64::new(Word::FIRST.raw()),
                cells: core::array::from_fn(|_| [AtomicU64::new(1), AtomicU64::new(1)]),
                claims: core::array::from_fn(|_| Mutex::new(())),
            })
        }

        /// Publishes `value` in some slot; gives up when it loses, as the caller would start again.
        fn write(&self, slot: usize, value: u64) -> bool {
            let seen = current(&self.word);
            if seen.slot(4) == slot {
                return false;
            }
            let _claim = self.claims[slot].lock().expect("loom's mutex is not poisoned");
            if current(&self.word) != seen {
                return false;
            }
            begin_fill();
            self.cells[slot][0].store(value, Ordering::Relaxed);
            self.cells[slot][1].store(value, Ordering::Relaxed);
            publish(&self.word, seen, slot).is_ok()
        }

        fn read(&self) -> Option<(u64, u64)> {
            read_once(&self.word, |word| {
                let cells = &self.cells[word.slot(4)];
                (cells[0].load(Ordering::Relaxed), cells[1].load(Ordering::Relaxed))
            })
            .map(|(_, copied)| copied)
        }
    }

    fn agree(copied: Option<(u64, u64)>) {
        if let Some((first, second)) = copied {
            assert_eq!(first, second, "a torn copy validated");
        }
    }

    #[test]
    fn a_reader_never_takes_a_torn_copy_when_a_slot_is_used_again() {
        loom::model(|| {
            let shared = Shared::new();
            let writer = {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.write(1, 2);
                    shared.write(0, 3);
                    shared.write(1, 4);
                })
            };
            agree(shared.read());
            agree(shared.read());
            writer.join().expect("the writer ends");
        });
    }

    #[test]
    fn two_writers_never_both_win_one_generation() {
        loom::model(|| {
            let shared = Shared::new();
            let writers: [_; 2] = core::array::from_fn(|i| {
                let shared = shared.clone();
                thread::spawn(move || shared.write(i + 1, i as u64 + 2))
            });
            agree(shared.read());
            let won: u64 =
                writers.into_iter().map(|writer| u64::from(writer.join().expect("the writer ends"))).sum();
            assert!(won >= 1, "one of them publishes");
            assert_eq!(current(&shared.word).generation(), 1 + won);
            agree(shared.read());
        });
    }

    #[test]
    fn writers_that_want_the_same_slot_do_not_mix() {
        loom::model(|| {
            let shared = Shared::new();
            let other = {
                let shared = shared.clone();
                thread::spawn(move || shared.write(1, 2))
            };
            shared.write(1, 3);
            agree(shared.read());
            other.join().expect("the writer ends");
            agree(shared.read());
        });
    }
}
