//! Writing schedules: a slot of one's own, filled with the whole new version, made current by one compare-and-swap.
//!
//! What must hold:
//! 1. A slot is filled only under its OFD lock, which the kernel releases when the writer dies, and never while it
//!    is current. A writer that is stopped for ever costs one slot, not the page.
//! 2. The new version repeats the old function until `from`, which lies a lead ahead of the last check before it is
//!    published; if it was published late all the same, that is recorded, and said.
//! 3. Publications are two leads apart at least.
//! 4. Whoever loses the race starts again from what the winner published.

use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;

use falseticker_page::change::Change;
use falseticker_page::latch::{self, READ_ATTEMPTS, Word, read_once};
use falseticker_page::layout::{Clock, Page, SLOTS, Slot};
use falseticker_page::schedule::Pieces;
use falseticker_page::time::{HostInstant, Rate, Span};
use nix::fcntl::{FcntlArg, fcntl};

use super::capture::capture;
use super::dir::NodeDir;
use crate::error::{Error, Result};
use crate::host_clock;
use crate::raw;
use crate::schedule::{Captured, Tables};

/// How far ahead a change is laid.
pub const LEAD: Span = Span::from_millis(1);
/// By when a publication must have succeeded.
const LIMIT: Span = Span::from_secs(5);

/// A published version.
#[derive(Debug)]
pub struct Published {
    /// What was published.
    pub tables: Tables,
    /// When it takes effect.
    pub at: HostInstant,
    /// By how much it was published too late; zero when in time.
    pub late_by: Span,
    /// Its number.
    pub generation: u64,
}

/// The version that is current.
pub fn read(page: &Page) -> Result<(Word, Tables)> {
    let until = host_clock::monotonic().saturating_add(LIMIT);
    loop {
        for _ in 0..READ_ATTEMPTS {
            if let Some(read) = read_once(&page.header.word, |word| decode(page.slot(word))) {
                return Ok(read);
            }
        }
        if host_clock::monotonic() > until {
            return Err(Error::not_applied("read the node's page", "it is written without end")
                .remedy("remove the node; something other than falseticker writes to its page"));
        }
    }
}

/// Makes a new version of the current one, for the host's clocks as they are captured and for the instant from which it
/// is to hold; `None` leaves all as it is.
pub type Edit<'a> = dyn FnMut(&Tables, &Captured, HostInstant) -> Result<Option<Tables>> + 'a;

/// Publishes what `edit` makes of the current version for the instant that it is given; `None` from it leaves all as
/// it is. It may be called several times.
pub fn publish(dir: &NodeDir, page: &Page, edit: &mut Edit<'_>) -> Result<Option<Published>> {
    publish_ahead(dir, page, LEAD, edit)
}

/// The same with a lead of one's own, [`LEAD`] or more.
pub fn publish_ahead(
    dir: &NodeDir,
    page: &Page,
    lead: Span,
    edit: &mut Edit<'_>,
) -> Result<Option<Published>> {
    let until = host_clock::monotonic().saturating_add(LIMIT);
    let mut lead = lead.max(LEAD);
    loop {
        let (word, old) = read(page)?;
        let soon = host_clock::monotonic().saturating_add(LIMIT);
        if old.published_at.max(old.from) > soon {
            return Err(Error::not_applied(
                "publish a change",
                "the node's page says that it was written in the future",
            )
            .remedy("remove the node; something other than falseticker writes to its page"));
        }
        host_clock::sleep_until(old.published_at.saturating_add(Span::from_nanos(2 * LEAD.as_nanos())));
        let claim = Claim::take(dir, page, word, until)?;
        let Some(claim) = claim else { continue };
        let captured = capture();
        let now = host_clock::monotonic();
        let from = now.saturating_add(lead).max(old.from.saturating_add(Span::from_nanos(1)));
        let Some(mut new) = edit(&old, &captured, from)? else { return Ok(None) };
        new.from = from;
        new.published_at = now;
        latch::begin_fill();
        encode(&new, claim.slot(page));
        if host_clock::monotonic().saturating_add(Span::from_nanos(lead.as_nanos() / 2)) >= from {
            if now > until {
                return Err(busy("the machine leaves no time between planning a change and publishing it"));
            }
            lead = Span::from_nanos((lead.as_nanos() * 2).min(100_000_000));
            continue;
        }
        let Ok(published) = latch::publish(&page.header.word, word, claim.index) else { continue };
        // Whoever waits for a deadline on one of these clocks waits anew.
        raw::futex_wake_all(page.futex());
        let late_by = host_clock::monotonic().saturating_since(from);
        let late_by = if late_by.is_negative() { Span::ZERO } else { late_by };
        if late_by != Span::ZERO {
            note_late(claim.slot(page), &new, late_by);
        }
        let generation = published.generation();
        return Ok(Some(Published { tables: new, at: from, late_by, generation }));
    }
}

fn busy(why: &str) -> Error {
    Error::not_applied("publish a change", why).remedy("try again when the machine is less loaded")
}

/// A slot that is this writer's until it is dropped.
struct Claim {
    index: usize,
    /// The lock belongs to the open file, and goes with it.
    _file: std::fs::File,
}

impl Claim {
    /// Takes a slot that is not current; `None` when a publication came between, or none is free for now.
    fn take(dir: &NodeDir, page: &Page, seen: Word, until: HostInstant) -> Result<Option<Self>> {
        let path = dir.page();
        let attempted = || format!("write to {}", path.display());
        for index in (0..SLOTS).filter(|index| *index != seen.slot(SLOTS)) {
            let file = OpenOptions::new().read(true).write(true).open(&path);
            let file = file.map_err(|why| Error::not_applied(attempted(), why))?;
            if !lock(&file, index) {
                continue;
            }
            let claim = Claim { index, _file: file };
            return Ok((latch::current(&page.header.word) == seen).then_some(claim));
        }
        if host_clock::monotonic() > until {
            return Err(Error::not_applied(attempted(), "every slot is held by another writer").remedy(
                "another falseticker is stopped in the middle of a change: continue it or kill it (fuser shows it)",
            ));
        }
        host_clock::sleep(LEAD);
        Ok(None)
    }

    fn slot<'a>(&self, page: &'a Page) -> &'a Slot {
        let [zero, one, two, three] = &page.slots;
        match self.index {
            0 => zero,
            1 => one,
            2 => two,
            _ => three,
        }
    }
}

/// Locks a byte of the page's file, each of which stands for something (the first ones for slots), if nobody has it.
pub(crate) fn lock(file: &std::fs::File, index: usize) -> bool {
    set_lock(file, index, libc::F_WRLCK)
}

/// Gives it back, also for a process that is just being forked from this one and has the open file too.
pub(crate) fn unlock(file: &std::fs::File, index: usize) {
    set_lock(file, index, libc::F_UNLCK);
}

fn set_lock(file: &std::fs::File, index: usize, kind: libc::c_int) -> bool {
    let byte = libc::flock {
        l_type: i16::try_from(kind).unwrap_or_default(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: i64::try_from(index).unwrap_or_default(),
        l_len: 1,
        l_pid: 0,
    };
    debug_assert!(file.as_raw_fd() >= 0);
    fcntl(file, FcntlArg::F_OFD_SETLK(&byte)).is_ok()
}

#[expect(
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "words hold numbers bit by bit"
)]
fn decode(slot: &Slot) -> Tables {
    let head = &slot.head;
    let span = |word: &std::sync::atomic::AtomicU64| Span::from_nanos(word.load(Ordering::Relaxed) as i64);
    let instant =
        |word: &std::sync::atomic::AtomicU64| HostInstant::from_nanos(word.load(Ordering::Relaxed) as i64);
    let rate = |word: &std::sync::atomic::AtomicU64| Rate::from_parts(word.load(Ordering::Relaxed) as i64);
    let schedule = |clock| {
        let cells = slot.segments(clock);
        (0..cells.count()).map(|index| cells.piece(index)).collect()
    };
    let mut changes: Vec<Change> = slot.changes.iter().filter_map(|cell| cell.load()).collect();
    changes.sort_by_key(|change| change.id);
    Tables {
        schedules: Clock::ALL.map(schedule),
        changes,
        last_change: head.last_change.load(Ordering::Relaxed) as u32,
        captured: Captured {
            wall: span(&head.wall_offset),
            boot: span(&head.boot_offset),
            tai: span(&head.tai_offset),
            raw_at: instant(&head.raw_at),
            mono_at: instant(&head.mono_at),
            mono_per_raw: rate(&head.mono_per_raw),
            raw_per_mono: rate(&head.raw_per_mono),
        },
        published_at: instant(&head.published_at),
        from: instant(&head.from),
    }
}

#[expect(clippy::cast_sign_loss, reason = "words hold signed numbers bit by bit")]
pub(super) fn encode(tables: &Tables, slot: &Slot) {
    let head = &slot.head;
    let captured = &tables.captured;
    for (word, value) in [
        (&head.last_change, i64::from(tables.last_change)),
        (&head.published_at, tables.published_at.as_nanos()),
        (&head.from, tables.from.as_nanos()),
        (&head.wall_offset, captured.wall.as_nanos()),
        (&head.boot_offset, captured.boot.as_nanos()),
        (&head.tai_offset, captured.tai.as_nanos()),
        (&head.raw_at, captured.raw_at.as_nanos()),
        (&head.mono_at, captured.mono_at.as_nanos()),
        (&head.mono_per_raw, captured.mono_per_raw.as_parts()),
        (&head.raw_per_mono, captured.raw_per_mono.as_parts()),
    ] {
        word.store(value as u64, Ordering::Relaxed);
    }
    for ((cells, count), clock) in slot.schedules.iter().zip(&head.counts).zip(Clock::ALL) {
        let segments = tables.schedule(clock);
        for (cell, segment) in cells.iter().zip(segments) {
            cell.store(segment);
        }
        count.store(segments.len() as u64, Ordering::Relaxed);
    }
    for cell in &slot.changes {
        cell.clear();
    }
    for change in &tables.changes {
        if let Some(cell) = slot.changes.get(change.id as usize % slot.changes.len()) {
            cell.store(change);
        }
    }
}

/// Writes down, after the fact, that the newest change was published too late.
fn note_late(slot: &Slot, tables: &Tables, late_by: Span) {
    for change in tables.changes.iter().filter(|change| change.at == tables.from) {
        if let Some(cell) = slot.changes.get(change.id as usize % slot.changes.len()) {
            cell.set_late_by(late_by.as_nanos());
        }
    }
}
