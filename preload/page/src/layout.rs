//! The layout of the page: what stands where in the file that a node's processes map read-only.
//!
//! What must hold: magic, version and size stand at fixed offsets for all time; every field is an atomic word, so
//! that a reader may look at any moment; a reader takes nothing from the page as an index or a length without
//! bounding it.

use core::mem::{offset_of, size_of};

use crate::change::{CHANGES, ChangeCell};
use crate::latch::Word;
use crate::segment::SegmentCell;
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::trap::TrapCell;

/// "FTPAGE" and two bytes that no text has.
pub const MAGIC: u64 = u64::from_le_bytes(*b"FTPAGE\x1a\xf7");
/// The version of this layout. A shim and a controller that differ refuse each other.
pub const VERSION: u32 = 2;
/// Slots of a page; a power of two.
pub const SLOTS: usize = 4;
/// Segments of a schedule.
pub const SEGMENTS: usize = 10_048;
/// Schedules of a page.
pub const SCHEDULES: usize = 3;
/// The size of the page's file.
pub const PAGE_SIZE: usize = size_of::<Page>();

/// Flag: the node's monotonic clocks may be faulted.
pub const FLAG_MONOTONIC: u32 = 1;
/// Flag: the node's programs may set the host's clocks.
pub const FLAG_ALLOW_SETTIME: u32 = 2;
/// Flag: a trap on reads of the monotonic clock is armed, or was when its controller died.
pub const FLAG_MONO_TRAP: u32 = 4;

/// Which of a page's schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Clock {
    /// CLOCK_REALTIME and whatever follows it.
    Wall = 0,
    /// CLOCK_MONOTONIC, its coarse form and RAW.
    Mono = 1,
    /// CLOCK_BOOTTIME.
    Boot = 2,
}

impl Clock {
    /// All of them, in the page's order.
    pub const ALL: [Clock; SCHEDULES] = [Clock::Wall, Clock::Mono, Clock::Boot];

    /// Its bit in a change's set of clocks.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The page's first 4 KiB.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: AtomicU64,
    /// [`VERSION`].
    pub version: AtomicU32,
    /// [`FLAG_MONOTONIC`], [`FLAG_ALLOW_SETTIME`], [`FLAG_MONO_TRAP`].
    pub flags: AtomicU32,
    /// [`PAGE_SIZE`].
    pub size: AtomicU64,
    /// When the node was made, in nanoseconds of the host's CLOCK_MONOTONIC.
    pub created: AtomicU64,
    _before_word: [u64; 4],
    /// The generation and the current slot, see [`crate::latch`].
    pub word: AtomicU64,
    _after_word: [u64; 7],
    /// Who is held at a read of a clock.
    pub trap: TrapCell,
}

/// What a slot says besides its segments.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct SlotHead {
    /// How many segments each schedule has.
    pub counts: [AtomicU64; SCHEDULES],
    /// The id of the last change.
    pub last_change: AtomicU64,
    /// When the slot was published.
    pub published_at: AtomicU64,
    /// When its newest function takes over.
    pub from: AtomicU64,
    /// CLOCK_REALTIME less CLOCK_MONOTONIC at publication, in nanoseconds.
    pub wall_offset: AtomicU64,
    /// CLOCK_BOOTTIME less CLOCK_MONOTONIC.
    pub boot_offset: AtomicU64,
    /// CLOCK_TAI less CLOCK_REALTIME.
    pub tai_offset: AtomicU64,
    /// One instant by CLOCK_MONOTONIC_RAW ...
    pub raw_at: AtomicU64,
    /// ... and by CLOCK_MONOTONIC.
    pub mono_at: AtomicU64,
    /// How much faster CLOCK_MONOTONIC ran than RAW, in parts per 2^32.
    pub mono_per_raw: AtomicU64,
    /// How much faster RAW ran than CLOCK_MONOTONIC, in parts per 2^32.
    pub raw_per_mono: AtomicU64,
}

/// One version of a node's schedules.
#[repr(C)]
#[derive(Debug)]
pub struct Slot {
    /// Counts and what the host's clocks were.
    pub head: SlotHead,
    /// The last changes, each at its id modulo their number.
    pub changes: [ChangeCell; CHANGES],
    /// The segments of `wall`, `mono` and `boot`.
    pub schedules: [[SegmentCell; SEGMENTS]; SCHEDULES],
}

impl Slot {
    /// The segments of a schedule that are in use: at most as many as there is room for, whatever the count says.
    pub fn segments(&self, clock: Clock) -> &[SegmentCell] {
        let [wall, mono, boot] = &self.schedules;
        let [wall_count, mono_count, boot_count] = &self.head.counts;
        let (cells, count) = match clock {
            Clock::Wall => (wall, wall_count),
            Clock::Mono => (mono, mono_count),
            Clock::Boot => (boot, boot_count),
        };
        let count = usize::try_from(count.load(Ordering::Relaxed)).unwrap_or(0);
        cells.get(..count).unwrap_or(&[])
    }
}

/// The page's file as a whole.
#[repr(C)]
#[derive(Debug)]
pub struct Page {
    /// Magic, version, word.
    pub header: Header,
    /// The versions of the schedules.
    pub slots: [Slot; SLOTS],
}

/// Why a page is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is no page at all.
    Magic,
    /// It is a page of another version.
    Version(u32),
    /// Its size is not the one that its version has.
    Size,
}

impl Page {
    /// Whether this is a page of this version, which was once published.
    pub fn check(&self) -> Result<(), Unfit> {
        let header = &self.header;
        if header.magic.load(Ordering::Acquire) != MAGIC {
            return Err(Unfit::Magic);
        }
        match header.version.load(Ordering::Relaxed) {
            VERSION => {}
            other => return Err(Unfit::Version(other)),
        }
        if header.size.load(Ordering::Relaxed) != PAGE_SIZE as u64 {
            return Err(Unfit::Size);
        }
        Ok(())
    }

    /// The slot that a word names.
    pub fn slot(&self, word: Word) -> &Slot {
        let [zero, one, two, three] = &self.slots;
        match word.slot(SLOTS) {
            0 => zero,
            1 => one,
            2 => two,
            _ => three,
        }
    }

    /// The half of the word that changes with every publication, as a futex: who waits for a change sleeps on it.
    pub fn futex(&self) -> *const u32 {
        let low_half = if cfg!(target_endian = "big") { 1 } else { 0 };
        core::ptr::from_ref(&self.header.word).cast::<u32>().wrapping_add(low_half)
    }

    /// Whether the node's monotonic clocks may be faulted.
    pub fn monotonic(&self) -> bool {
        self.header.flags.load(Ordering::Relaxed) & FLAG_MONOTONIC != 0
    }

    /// Whether a read of CLOCK_MONOTONIC is the host's own and nothing else: one look for both reasons why it may not be.
    #[inline(always)]
    pub fn mono_is_plain(&self) -> bool {
        self.header.flags.load(Ordering::Relaxed) & (FLAG_MONOTONIC | FLAG_MONO_TRAP) == 0
    }

    /// Whether calls that set a clock of the host are passed on to the kernel.
    pub fn allows_settime(&self) -> bool {
        self.header.flags.load(Ordering::Relaxed) & FLAG_ALLOW_SETTIME != 0
    }
}

const _: () = {
    assert!(offset_of!(Header, magic) == 0 && offset_of!(Header, version) == 8);
    assert!(offset_of!(Header, size) == 16 && offset_of!(Header, word) == 64);
    assert!(offset_of!(Header, trap) == 128);
    assert!(size_of::<SegmentCell>() == 64 && size_of::<ChangeCell>() == 64);
    assert!(size_of::<Header>() == 4096 && size_of::<SlotHead>() == 4096);
    assert!(size_of::<Slot>().is_multiple_of(4096) && PAGE_SIZE.is_multiple_of(4096));
    assert!(SEGMENTS >= 10_000 && SLOTS.is_power_of_two() && SLOTS >= 4);
    const fn shared<T: Sync>() {}
    shared::<Page>();
};
