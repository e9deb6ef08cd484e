//! A page, or an evidence file, of which every byte may be wrong: whatever a reader calls ends, in bounds, with an
//! instant or with nothing. A debug build checks every addition on the way.
#![cfg(not(loom))]

mod common;

use std::cell::Cell;
use std::time::{Duration, Instant};

use common::Noise;
use falseticker_page::change::{CHANGES, ChangeCell};
use falseticker_page::evidence::{Evidence, ROWS, State};
use falseticker_page::latch::{self, READ_ATTEMPTS, Word};
use falseticker_page::layout::{Clock, Page, SEGMENTS, Unfit};
use falseticker_page::schedule::{Pieces, find, reaches, value};
use falseticker_page::segment::{Segment, SegmentCell};
use falseticker_page::sync::Ordering;
use falseticker_page::time::{HostInstant, NodeInstant};
use proptest::prelude::*;

/// No call on a page of this size may take longer, even in a debug build on a busy machine.
const NO_HANG: Duration = Duration::from_secs(20);

/// Segments that count how often they are looked at: a hang that does not depend on the machine's mood.
struct Counted<'a> {
    cells: &'a [SegmentCell],
    looks: Cell<usize>,
}

impl Pieces for Counted<'_> {
    fn count(&self) -> usize {
        self.cells.len()
    }

    fn start(&self, index: usize) -> HostInstant {
        self.looks.set(self.looks.get() + 1);
        self.cells.start(index)
    }

    fn piece(&self, index: usize) -> Segment {
        self.looks.set(self.looks.get() + 1);
        self.cells.piece(index)
    }
}

fn instants() -> impl Strategy<Value = i64> {
    prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), 0..4_000_000_000_000_000_000_i64, any::<i64>(),]
}

/// Everything that a reader does with a page, at one instant.
fn read_all(page: &Page, at: HostInstant, target: NodeInstant) {
    let begun = Instant::now();
    let _: Result<(), Unfit> = page.check();
    let _: bool = page.monotonic();
    for clock in Clock::ALL {
        for _ in 0..READ_ATTEMPTS {
            let copied = latch::read_once(&page.header.word, |word| {
                let cells = page.slot(word).segments(clock);
                assert!(cells.len() <= SEGMENTS);
                (find(cells, at), value(cells, at))
            });
            let (_, (found, shown)) = copied.expect("nobody publishes");
            assert_eq!(found.is_some(), shown.is_some());
        }
        let cells = page.slot(latch::current(&page.header.word)).segments(clock);
        let counted = Counted { cells, looks: Cell::new(0) };
        let reached = reaches(&counted, target, at);
        assert!(reached.is_none_or(|reached| reached >= at), "what is past is never an answer");
        assert!(
            counted.looks.get() <= 2 * cells.len() + 64,
            "a look at each segment and at its end is enough, not {}",
            counted.looks.get()
        );
    }
    assert!(begun.elapsed() < NO_HANG, "took {:?}", begun.elapsed());
}

/// How many segments a slot says that it has.
fn counts() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        1..64_u64,
        Just(SEGMENTS as u64 - 1),
        Just(SEGMENTS as u64),
        Just(SEGMENTS as u64 + 1),
        Just(u64::MAX),
        any::<u64>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_page_of_random_bytes_never_stops_a_reader(
        seed in any::<u64>(),
        nasty in any::<bool>(),
        counts in prop::array::uniform3(counts()),
        at in instants(),
        target in instants(),
    ) {
        let mut page: Box<Page> = common::zeroed();
        let mut noise = Noise(seed);
        common::words(&mut page).fill_with(|| if nasty { noise.nasty_word() } else { noise.word() });
        let (at, target) = (HostInstant::from_nanos(at), NodeInstant::from_nanos(target));
        read_all(&page, at, target);

        // The same bytes behind a header that passes, so that a reader does go on, with counts that it believes.
        common::sign_page(&page);
        prop_assert_eq!(page.check(), Ok(()));
        for slot in &page.slots {
            for (count, set) in slot.head.counts.iter().zip(counts) {
                count.store(set, Ordering::Relaxed);
            }
        }
        read_all(&page, at, target);
    }

    #[test]
    fn bytes_strewn_over_a_valid_page_never_stop_a_reader(
        seed in any::<u64>(),
        strewn in 1_usize..2000,
        count in 1..=SEGMENTS,
        at in instants(),
        target in instants(),
    ) {
        let mut page = common::page();
        for slot in &page.slots {
            for (cells, set) in slot.schedules.iter().zip(&slot.head.counts) {
                for (cell, from) in cells.iter().take(count).zip(0..) {
                    cell.store(&Segment {
                        from: HostInstant::from_nanos(from * 1_000_000_000),
                        ..Segment::TRUE
                    });
                }
                set.store(count as u64, Ordering::Relaxed);
            }
        }
        let (at, target) = (HostInstant::from_nanos(at), NodeInstant::from_nanos(target));
        read_all(&page, at, target);
        let mut noise = Noise(seed);
        let words = common::words(&mut page);
        for _ in 0..strewn {
            let place = usize::try_from(noise.word() % words.len() as u64).expect("an index");
            words[place] ^= 0xff_u64.rotate_left((noise.word() % 64) as u32);
        }
        common::sign_page(&page);
        read_all(&page, at, target);
    }

    #[test]
    fn evidence_of_random_bytes_never_stops_a_process_or_the_controller(
        seed in any::<u64>(),
        nasty in any::<bool>(),
        pid in any::<u32>(),
        (now, epoch) in (instants(), instants()),
        changes in prop::collection::vec(any::<u32>(), 50),
        rows in prop::collection::vec(prop_oneof![0..ROWS, Just(ROWS), Just(usize::MAX), any::<usize>()], 50),
    ) {
        let begun = Instant::now();
        let mut file: Box<Evidence> = common::zeroed();
        let mut noise = Noise(seed);
        common::words(&mut file).fill_with(|| if nasty { noise.nasty_word() } else { noise.word() });
        let (now, epoch) = (HostInstant::from_nanos(now), HostInstant::from_nanos(epoch));
        let _: bool = file.check();
        for (row, change) in rows.iter().zip(&changes) {
            file.mark(*row, *change, now, epoch);
        }
        // Of changes whose tag has one bit, some are there by chance; of any others, hardly one.
        let likely = changes.iter().zip(0..).map(|(change, bit)| (change % 1024) | (1 << (10 + bit % 16)));
        for ring in &file.rings {
            for change in likely.clone().chain(changes.iter().copied()).chain([0, 1, u32::MAX]) {
                let _: Option<HostInstant> = ring.marked(change, epoch);
                ring.mark(change, now, epoch);
                let _: Option<HostInstant> = ring.marked(change, epoch);
            }
        }
        for approve in [false, true] {
            if let Some(row) = file.take(pid, u64::from(pid), now, |_| approve) {
                prop_assert_eq!(file.heads[row].state(), State::Live(pid));
                prop_assert!(changes.iter().all(|change| file.rings[row].marked(*change, epoch).is_none()));
                file.mark(row, 7, epoch, epoch);
                prop_assert_eq!(file.rings[row].marked(7, epoch), Some(epoch));
            }
        }
        prop_assert!(begun.elapsed() < NO_HANG, "took {:?}", begun.elapsed());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn any_eight_words_are_a_segment_that_can_be_evaluated(
        seed in any::<u64>(),
        nasty in any::<bool>(),
        count in 1_usize..40,
        at in instants(),
        target in instants(),
    ) {
        let mut noise = Noise(seed);
        let cells: Vec<SegmentCell> = (0..count).map(|_| any_cell(&mut noise, nasty)).collect();
        let (at, target) = (HostInstant::from_nanos(at), NodeInstant::from_nanos(target));
        for cell in &cells {
            let segment = cell.load();
            prop_assert_eq!(segment.from, cell.load_from());
            let _: NodeInstant = segment.value(at);
            // What was decoded is what would be stored: a writer that copies a hostile segment copies no more of it.
            cell.store(&segment);
            prop_assert_eq!(cell.load(), segment);
        }
        prop_assert_eq!(find(&cells[..], at).is_some(), value(&cells[..], at).is_some());
        prop_assert!(reaches(&cells[..], target, at).is_none_or(|reached| reached >= at));
    }
}

fn any_cell(noise: &mut Noise, nasty: bool) -> SegmentCell {
    let mut words: [u64; 8] = std::array::from_fn(|_| if nasty { noise.nasty_word() } else { noise.word() });
    // A kind that there is, more often than chance would have it.
    if !noise.word().is_multiple_of(4) {
        words[1] = words[1] & !(0xff << 32) | (noise.word() % 3) << 32;
    }
    common::cell(words)
}

#[test]
fn no_record_of_a_change_is_made_of_nothing() {
    let page = common::page();
    assert!(page.slots[0].changes.iter().all(|cell| cell.load().is_none()));
    assert_eq!(page.slots[0].changes.len(), CHANGES);
}

#[test]
fn any_eight_words_are_a_change_or_none() {
    let mut page: Box<Page> = common::zeroed();
    let mut noise = Noise(1);
    common::words(&mut page).fill_with(|| noise.nasty_word());
    let changes = page.slots.iter().flat_map(|slot| &slot.changes);
    let made_sense = changes.filter_map(ChangeCell::load).count();
    assert!(made_sense > 0, "some heads have a kind");
}

#[test]
fn a_page_is_refused_by_what_is_wrong_with_it() {
    let page = common::page();
    assert_eq!(page.check(), Ok(()));
    page.header.size.store(1, Ordering::Relaxed);
    assert_eq!(page.check(), Err(Unfit::Size));
    page.header.version.store(99, Ordering::Relaxed);
    assert_eq!(page.check(), Err(Unfit::Version(99)));
    page.header.magic.store(0, Ordering::Relaxed);
    assert_eq!(page.check(), Err(Unfit::Magic));
}

#[test]
fn a_count_beyond_the_room_is_no_schedule_at_all() {
    let page = common::page();
    let slot = page.slot(Word::FIRST);
    for count in [SEGMENTS as u64 + 1, u64::MAX] {
        slot.head.counts[0].store(count, Ordering::Relaxed);
        assert!(slot.segments(Clock::Wall).is_empty(), "the clock is true then");
    }
}
