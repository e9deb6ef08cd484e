//! The book of armed timers: what each was asked to do, in the node's time, and what the kernel was told.
//!
//! What must hold: an entry is its setter's, or for the moment of an update the helper's ([`falseticker_page::seat`]). A setter
//! waits for an update, which is a handful of system calls; it has its signals blocked, so that no handler of its own waits for it.
//! A forked child has a copy: descriptors are shared with it, other timers are not.
#![allow(unsafe_code)]
// Sound because entries are atomic words in memory that is never unmapped.

use core::sync::atomic::{AtomicI32, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use falseticker_page::seat::{Seat, Update};

use super::kernel::Kind;
use crate::sys;

/// Entries that are mapped together.
const CHUNK: usize = 512;
/// How many chunks there may be of descriptors and of POSIX timers: 65,536 of each.
const CHUNKS: usize = 128;
/// Who sets; there is one at a time.
const SETTER: u32 = 1;

#[repr(C)]
struct Chunk([Entry; CHUNK]);

/// One timer.
#[repr(C, align(128))]
pub struct Entry {
    word: Seat,
    /// What libc calls it, plus one; 0 for none. Of a descriptor its place says that.
    name: AtomicUsize,
    kind: AtomicU32,
    /// What the kernel calls it.
    pub id: AtomicI32,
    /// The kernel's clock, plus one; 0 for unknown.
    pub clock: AtomicU32,
    /// The schedule that it goes by, and the flags with which it was set.
    pub schedule: AtomicU32,
    pub flags: AtomicU32,
    /// The signal that a POSIX timer sends to the process; 0 when it does otherwise.
    pub signal: AtomicU32,
    /// Not 0: the kernel has it in the host's own time.
    pub on_true: AtomicU32,
    /// The next expiry in the node's time, as of the last setting, and how long it is from one to the next.
    pub target: AtomicI64,
    pub every: AtomicI64,
    /// The same as the kernel was told, by the host's CLOCK_MONOTONIC (by its own clock if `on_true`).
    pub told: AtomicI64,
    pub told_every: AtomicI64,
    /// Up to when steps of the clock were looked for.
    pub seen: AtomicI64,
    /// Not 0: the clock was set, and its reader has not been told.
    pub canceled: AtomicU64,
    /// Not 0: more expiries are over than the kernel could be told of at once.
    pub owes: AtomicU32,
}

type Chunks = [AtomicPtr<Chunk>; CHUNKS];
static DESCRIPTORS: Chunks = [const { AtomicPtr::new(core::ptr::null_mut()) }; CHUNKS];
static POSIX: Chunks = [const { AtomicPtr::new(core::ptr::null_mut()) }; CHUNKS];

fn chunk(place: &AtomicPtr<Chunk>) -> Option<&'static Chunk> {
    // SAFETY: null, or a mapping of a chunk's size that is never unmapped; zeroed, which is every entry free.
    unsafe { place.load(Ordering::Acquire).as_ref() }
}

fn chunk_or_new(place: &AtomicPtr<Chunk>) -> Option<&'static Chunk> {
    if let Some(known) = chunk(place) {
        return Some(known);
    }
    let at = sys::mmap_anonymous(size_of::<Chunk>()).ok()?;
    sys::name_mapping(at, size_of::<Chunk>(), c"falseticker timers");
    let new = at as *mut Chunk;
    if place.compare_exchange(core::ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire).is_err() {
        // SAFETY: just mapped, and known to nobody.
        let _ = unsafe { sys::munmap(at, size_of::<Chunk>()) };
    }
    chunk(place)
}

/// The entry of a descriptor, if there was ever one near it.
pub fn descriptor(number: i32) -> Option<&'static Entry> {
    let number = usize::try_from(number).ok()?;
    chunk(DESCRIPTORS.get(number / CHUNK)?)?.0.get(number % CHUNK)
}

/// The entry of a descriptor.
pub fn descriptor_or_new(number: i32) -> Option<&'static Entry> {
    let number = usize::try_from(number).ok()?;
    HAS_DESCRIPTORS.store(1, Ordering::Relaxed);
    chunk_or_new(DESCRIPTORS.get(number / CHUNK)?)?.0.get(number % CHUNK)
}

/// Whether there was ever a timer with a descriptor.
pub fn has_descriptors() -> bool {
    HAS_DESCRIPTORS.load(Ordering::Relaxed) != 0
}

static HAS_DESCRIPTORS: AtomicU32 = AtomicU32::new(0);

/// The entry of a POSIX timer.
pub fn posix(name: usize) -> Option<&'static Entry> {
    let name = name.wrapping_add(1);
    POSIX
        .iter()
        .map_while(chunk)
        .flat_map(|chunk| &chunk.0)
        .find(|entry| entry.name.load(Ordering::Relaxed) == name)
}

/// A new entry for a POSIX timer.
pub fn posix_new(name: usize) -> Option<&'static Entry> {
    let name = name.wrapping_add(1);
    let free =
        |entry: &&Entry| entry.name.compare_exchange(0, name, Ordering::AcqRel, Ordering::Relaxed).is_ok();
    POSIX.iter().map_while(chunk_or_new).flat_map(|chunk| &chunk.0).find(free)
}

/// The entry of the process's own timer.
pub fn real() -> &'static Entry {
    static REAL: Entry = Entry {
        word: Seat::new(),
        name: AtomicUsize::new(0),
        kind: AtomicU32::new(0),
        id: AtomicI32::new(0),
        clock: AtomicU32::new(0),
        schedule: AtomicU32::new(0),
        flags: AtomicU32::new(0),
        signal: AtomicU32::new(0),
        on_true: AtomicU32::new(0),
        target: AtomicI64::new(0),
        every: AtomicI64::new(0),
        told: AtomicI64::new(0),
        told_every: AtomicI64::new(0),
        seen: AtomicI64::new(0),
        canceled: AtomicU64::new(0),
        owes: AtomicU32::new(0),
    };
    &REAL
}

/// All entries that there are.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    let chunks = DESCRIPTORS.iter().filter_map(chunk).chain(POSIX.iter().map_while(chunk));
    chunks.flat_map(|chunk| &chunk.0).chain(core::iter::once(real()))
}

/// In a forked child: nobody is at any entry, and only descriptors are timers of its own too. Whether there are any.
pub fn settle_in_child() -> bool {
    let mut any = false;
    for entry in all() {
        let kept = entry.word.is_open() && entry.kind() == Kind::Descriptor;
        any |= kept;
        entry.word.reset(kept.then_some(SETTER));
        if entry.kind() != Kind::Descriptor {
            entry.name.store(0, Ordering::Relaxed);
        }
    }
    any
}

impl Entry {
    /// What kind of timer it is.
    pub fn kind(&self) -> Kind {
        Kind::from_number(self.kind.load(Ordering::Relaxed))
    }

    /// Takes it for a setting. Signals must be blocked.
    pub fn hold(&'static self) -> Held {
        while !self.word.claim(SETTER) && !self.word.close(SETTER) {
            sys::thread::give_way();
        }
        Held { entry: self, armed: false }
    }

    /// Takes it for an update, if it is armed and nobody sets it.
    pub fn update(&self) -> Option<Update<'_>> {
        self.word.begin_update()
    }

    /// The same, when whoever is at it is done. Signals must be blocked.
    pub fn update_in_turn(&self) -> Option<Update<'_>> {
        loop {
            let update = self.update();
            if update.is_some() || !self.is_armed() {
                return update;
            }
            sys::thread::give_way();
        }
    }

    /// Whether it is armed, as far as is known.
    pub fn is_armed(&self) -> bool {
        self.word.is_open()
    }

    /// Leaves it unarmed; the end of an update that is under way frees it.
    pub fn drop_out(&self) {
        self.word.leave(SETTER);
    }

    /// Forgets a POSIX timer that is deleted.
    pub fn forget(&self) {
        self.name.store(0, Ordering::Release);
    }
}

/// An entry that is being set, until this is dropped.
pub struct Held {
    pub entry: &'static Entry,
    armed: bool,
}

impl Held {
    /// Says what timer it is.
    pub fn is(&self, kind: Kind, id: i32) {
        self.entry.kind.store(kind as u32, Ordering::Relaxed);
        self.entry.id.store(id, Ordering::Relaxed);
    }

    /// Leaves it armed, for the helper to update.
    pub fn arm(mut self) {
        self.armed = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.armed { self.entry.word.open(SETTER) } else { self.entry.word.leave(SETTER) }
    }
}

const _: () = assert!(size_of::<Entry>() == 128);
