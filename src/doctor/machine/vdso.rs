//! The vDSO, and whether code of a process's own may be written: both as the shim does it, in a child.
//!
//! Sealed mappings (mseal(2), CONFIG_MSEAL_SYSTEM_MAPPINGS) and write-execute policies (PR_SET_MDWE, systemd's
//! MemoryDenyWriteExecute) forbid the second way, not the first.
//!
//! Source: vdso(7), PR_SET_MDWE(2const), proc_pid_mem(5).

use std::fs::File;
use std::os::unix::fs::FileExt;

use falseticker_page::detour::{Functions, Hooks, plan};
use falseticker_page::vdso::{HEADER_PAGE, Image, image_size};
use procfs::process::{MMapPath, Process};

use crate::doctor::probe::{Outcome, in_child, write_by_mprotect, write_by_proc};
use crate::doctor::{Finding, TRACING};
use crate::reach::Means;

const CHECK: &str = "vdso";

/// Whether clock reads by the vDSO can be taken over.
pub(super) fn code() -> Finding {
    let Some((base, bytes)) = own() else {
        return Finding::missing(
            CHECK,
            "none: clock reads are system calls",
            "only what the shim gets into is reached",
            "boot without vdso=0",
            &TRACING,
        );
    };
    if !is_known(base, &bytes) {
        return Finding::missing(
            CHECK,
            "it begins with instructions that are not known",
            "it cannot be detoured: of preloaded programs symbols alone are taken over",
            "report it with the kernel's version; meanwhile run programs with --reach vdso",
            &[Means::Attach],
        );
    }
    written(base, bytes.first().copied().unwrap_or_default())
}

/// This process's vDSO: its address and its bytes.
fn own() -> Option<(u64, Vec<u8>)> {
    let maps = Process::myself().ok()?.maps().ok()?;
    let (base, end) = maps.iter().find(|map| map.pathname == MMapPath::Vdso)?.address;
    let memory = File::open("/proc/self/mem").ok()?;
    let mut bytes = vec![0; HEADER_PAGE];
    memory.read_exact_at(&mut bytes, base).ok()?;
    let size = image_size(&bytes).filter(|size| base.saturating_add(*size as u64) <= end)?;
    bytes.resize(size, 0);
    memory.read_exact_at(&mut bytes, base).ok()?;
    Some((base, bytes))
}

/// Whether a detour could be made: planned, and not written.
fn is_known(base: u64, bytes: &[u8]) -> bool {
    const JUMP: u8 = 0xe9;
    let Some(image) = Image::parse(bytes) else { return false };
    let Some(functions) = Functions::of(&image) else { return false };
    // In a node itself: then it could.
    let begins = image.code(functions.clock_gettime).and_then(|code| code.first().copied());
    if image.is_ours() || begins == Some(JUMP) {
        return true;
    }
    let island = base.saturating_sub(1 << 20) & !0xfff;
    let hooks = Hooks { clock_gettime: base, gettimeofday: base, time: base };
    plan(&image, base, &functions, island, &hooks).is_ok()
}

/// How code is written.
fn written(base: u64, first: u8) -> Finding {
    let at = usize::try_from(base).unwrap_or(0);
    let by_proc = in_child(|| write_by_proc(at, first));
    if by_proc == Outcome::Works {
        return Finding::good(
            CHECK,
            "it can be detoured and replaced; code is written through /proc/self/mem",
        );
    }
    match in_child(|| write_by_mprotect(at)) {
        Outcome::Works => Finding::good(
            CHECK,
            format!(
                "it can be detoured and replaced; code is written by mprotect (/proc/self/mem: {by_proc})"
            ),
        ),
        refused => Finding::limited(
            CHECK,
            format!("code may not be written: /proc/self/mem: {by_proc}; mprotect: {refused}"),
            "of preloaded programs symbols alone are taken over: Go, and others that call the vDSO, read true time",
            "lift the policy (MemoryDenyWriteExecute=, proc_mem.force_override=), or run with --reach vdso",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vdso_of_this_process_can_be_detoured_and_its_bytes_are_as_before() {
        let before = own().unwrap();
        let finding = code();
        assert_eq!(finding.stops, []);
        assert!(is_known(before.0, &before.1));
        assert_eq!(own().unwrap(), before);
    }

    #[test]
    fn unknown_bytes_are_not_known() {
        let (base, mut bytes) = own().unwrap();
        let image = Image::parse(&bytes).unwrap();
        let at = Functions::of(&image).unwrap().clock_gettime.offset;
        // A far jump through memory, which nobody displaces.
        bytes[at..at + 2].copy_from_slice(&[0xff, 0x2d]);
        assert!(!is_known(base, &bytes));
        assert!(!is_known(base, &[]));
    }
}
