//! Whoever moves a descriptor's timer names it by number, and a number is another timer's as soon as it is closed and given to a
//! copy: a timer would be set that was never looked at. So no copy is made between the look at a timer and its setting. (One that is
//! new is not armed before its maker has waited for that update, which does no harm to it.)
//!
//! What must hold:
//! 1. While a [`Moving`] lives, no call that is hooked copies a descriptor, unless the mover was stopped for long.
//! 2. Neither waits for the other for ever: a mover that finds somebody copying leaves the timer for later, and whoever copies
//!    waits for a mover as for an update, at most for a second: a single thread may be held by a freeze or a debugger.
//! 3. In a forked child nobody is at either.

use core::sync::atomic::{AtomicU32, Ordering};

use falseticker_page::time::Span;

use super::phase::now;
use crate::sys;

/// How many look at a timer to set it.
static MOVING: AtomicU32 = AtomicU32::new(0);
/// How many copy a descriptor.
static COPYING: AtomicU32 = AtomicU32::new(0);

/// For how long a mover is waited for.
const PATIENCE: Span = Span::from_secs(1);

/// Somebody looks at a timer and then sets it, until this is dropped.
pub struct Moving(());

impl Moving {
    /// Begins; `None` while somebody copies a descriptor.
    pub fn begin() -> Option<Self> {
        MOVING.fetch_add(1, Ordering::SeqCst);
        let moving = Moving(());
        // Either this sees who copies, or that sees this.
        (COPYING.load(Ordering::SeqCst) == 0).then_some(moving)
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        MOVING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Copies a descriptor by `copy`, which also writes down what it is of.
pub fn while_none_is_moved<R>(copy: impl FnOnce() -> R) -> R {
    // A handler that came in between could wait for this, or leave it by longjmp.
    sys::thread::with_signals_blocked(|| {
        COPYING.fetch_add(1, Ordering::SeqCst);
        let begun = now();
        let is_long = || begun.zip(now()).is_none_or(|(begun, now)| now.saturating_since(begun) > PATIENCE);
        while MOVING.load(Ordering::SeqCst) != 0 && !is_long() {
            sys::thread::give_way();
        }
        let copied = copy();
        COPYING.fetch_sub(1, Ordering::SeqCst);
        copied
    })
}

/// In a forked child.
pub fn settle_in_child() {
    MOVING.store(0, Ordering::Relaxed);
    COPYING.store(0, Ordering::Relaxed);
}
