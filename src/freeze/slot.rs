//! Where the files of a node's freezes are: a freeze takes one of a few slots, each with a lock and a ledger.

use std::ffi::CStr;
use std::path::{Path, PathBuf};

/// How many freezes of one node there can be at a time.
pub(super) const SLOTS: usize = 8;

/// By number: the names of a slot's lock and ledger, for guards that may not allocate.
const NAMES: [(&CStr, &CStr); SLOTS] = [
    (c"freeze-0.lock", c"freeze-0.ledger"),
    (c"freeze-1.lock", c"freeze-1.ledger"),
    (c"freeze-2.lock", c"freeze-2.ledger"),
    (c"freeze-3.lock", c"freeze-3.ledger"),
    (c"freeze-4.lock", c"freeze-4.ledger"),
    (c"freeze-5.lock", c"freeze-5.ledger"),
    (c"freeze-6.lock", c"freeze-6.ledger"),
    (c"freeze-7.lock", c"freeze-7.ledger"),
];

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(usize);

impl Slot {
    /// All of them.
    pub(super) fn all() -> impl Iterator<Item = Slot> {
        (0..SLOTS).map(Slot)
    }

    /// Its number.
    pub(super) fn number(self) -> usize {
        self.0
    }

    /// The names of its lock and its ledger.
    pub(super) fn names(self) -> (&'static CStr, &'static CStr) {
        NAMES.get(self.0).copied().unwrap_or((c"", c""))
    }

    pub(super) fn lock(self, dir: &Path) -> PathBuf {
        dir.join(self.names().0.to_str().unwrap_or_default())
    }

    pub(super) fn ledger(self, dir: &Path) -> PathBuf {
        dir.join(self.names().1.to_str().unwrap_or_default())
    }
}
