//! A page for the island, mapped.
//!
//! What must hold: nothing that exists is mapped over. Where a page may lie is [`falseticker_page::detour`]'s business.

use core::ops::Range;

use falseticker_page::detour::{near, stack_room};

use crate::sys::{self, PAGE, mm};

/// Maps one page, readable and executable, near the vDSO that lies in `vdso`; `stack` is an address at the main stack's top.
pub fn map_near(vdso: Range<usize>, stack: Option<usize>) -> Option<usize> {
    let reserved = stack.map_or(0..0, |top| {
        let (soft, hard) = sys::stack_limits().unwrap_or((u64::MAX, u64::MAX));
        stack_room(top as u64, soft, hard)
    });
    let vdso = vdso.start as u64..vdso.end as u64;
    let at = near(&vdso, &reserved, |at| usize::try_from(at).is_ok_and(map))?;
    usize::try_from(at).ok()
}

fn map(at: usize) -> bool {
    sys::mmap_anonymous_at(at, PAGE, mm::PROT_READ | mm::PROT_EXEC).is_ok()
}
