//! Who arrives in the node while the program runs: command lines, which are gone when the report is written.
//!
//! What must hold: it only looks; a process that ends within moments of its arrival is reported without its command.
#![expect(unsafe_code, reason = "waiting on a word that the shim wakes")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use falseticker_page::evidence::Evidence;
use falseticker_page::time::{HostInstant, Span};

use super::arrival::{Row, rows};
use super::signals::Received;
use crate::process::{Elsewhere, ProcessId, Table, cmdline, own_namespace};
use crate::raw;

/// How long between two looks without an arrival: forked children take their rows in silence.
const PACE: Span = Span::from_millis(20);

/// What was seen of a process while it lived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its pid here, whatever it is in a pid namespace of its own.
    pub pid: i32,
    /// Its command line, when it took its row.
    pub command: String,
    /// Whether it was below the program's keeper.
    pub below: bool,
}

/// Looks at a node while a program runs in it.
#[derive(Debug)]
pub struct Witness<'a> {
    evidence: &'a Evidence,
    keeper: ProcessId,
    from: HostInstant,
    seen: Mutex<BTreeMap<Row, Option<Seen>>>,
    over: AtomicBool,
}

impl<'a> Witness<'a> {
    /// Of what happens from an instant on.
    pub fn new(evidence: &'a Evidence, keeper: ProcessId, from: HostInstant) -> Self {
        Witness { evidence, keeper, from, seen: Mutex::default(), over: AtomicBool::new(false) }
    }

    /// Looks until [`Witness::stop`]; meant for a thread of its own.
    pub fn watch(&self) {
        while !self.over.load(Ordering::Acquire) {
            let arrivals = self.evidence.header.arrivals.load(Ordering::Acquire);
            self.look();
            self.wait_for_another(arrivals);
        }
    }

    /// Ends [`Witness::watch`], for everything is seen now.
    pub fn stop(&self) -> BTreeMap<Row, Option<Seen>> {
        self.over.store(true, Ordering::Release);
        self.look();
        let word = self.evidence.header.arrivals.as_ptr();
        // SAFETY: wakes whoever waits on a word of the mapping.
        let _ = unsafe {
            raw::syscall(
                libc::SYS_futex,
                [word as usize, libc::FUTEX_WAKE as usize, i32::MAX as usize, 0, 0, 0],
            )
        };
        self.seen.lock().map(|seen| seen.clone()).unwrap_or_default()
    }

    fn look(&self) {
        let Ok(mut seen) = self.seen.lock() else { return };
        let new: Vec<Row> = rows(self.evidence, self.from).filter(|row| !seen.contains_key(row)).collect();
        let here = own_namespace();
        let is_here = |row: &Row| Some(row.namespace) == here;
        let others: BTreeSet<u64> = new.iter().filter(|row| !is_here(row)).map(|row| row.namespace).collect();
        let table = if others.is_empty() { Table::default() } else { Table::scan().unwrap_or_default() };
        let elsewhere = Elsewhere::look(&table, &others);
        for row in new {
            let pid = if is_here(&row) { Some(row.pid) } else { elsewhere.pid(row.namespace, row.pid) };
            seen.insert(row, pid.and_then(|pid| self.see(pid)));
        }
    }

    fn see(&self, pid: i32) -> Option<Seen> {
        let id = ProcessId::of(pid)?;
        let below = Received { signal: 0, code: 0, sender: pid }.is_from_below(self.keeper);
        let command = cmdline(id).filter(|words| !words.is_empty())?.join(" ");
        Some(Seen { pid, command, below })
    }

    fn wait_for_another(&self, arrivals: u32) {
        let word = self.evidence.header.arrivals.as_ptr();
        let limit = libc::timespec { tv_sec: 0, tv_nsec: PACE.as_nanos() };
        let args =
            [word as usize, libc::FUTEX_WAIT as usize, arrivals as usize, &raw const limit as usize, 0, 0];
        // SAFETY: a word of the mapping, and a live time limit.
        let _ = unsafe { raw::syscall(libc::SYS_futex, args) };
    }
}
