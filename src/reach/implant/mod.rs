//! The implant: the replacement image, its memory, the node's page and evidence, in a process that cannot load the shim.
//!
//! Both ways into such a process plant it and then send the clock reads there: at exec by the auxiliary vector
//! ([`super::vdso`]), in a running process by a detour of its vDSO ([`super::attach`]). See `falseticker_page::image`.
//!
//! What must hold:
//! 1. Nothing of the program reads a clock by the implant before all of it is there: the process is stopped, and what leads to
//!    it is written last.
//! 2. What fails leaves the process as it was.
//! 3. The node's files are handed over open ([`passing`]), so the process need not see their paths.
//! 4. Code is never writable and executable at once, not even for a moment: policies forbid it (MDWE).

mod image;
mod passing;
mod seat;

use std::mem::offset_of;
use std::os::fd::AsFd;

use falseticker_page::detour::Hooks;
use falseticker_page::evidence::EVIDENCE_SIZE;
use falseticker_page::image::{LOADED, MEMORY, MORE_AT, More, OWN_AT, Own, Wiring};
use falseticker_page::layout::PAGE_SIZE;
use falseticker_page::vdso::Image;
use nix::errno::Errno;

pub use image::Replacement;
use passing::Passing;
pub use seat::{has_left, leave, seat};

use super::trace::{Calls, Memory, View};
use crate::node::Node;
use crate::process::{ProcessId, namespace_of};
use crate::{Error, Result};

/// The functions of the kernel's own vDSO in a process, by their addresses; 0 for one that it does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kernels {
    /// The true clock.
    pub clock_gettime: u64,
    /// What the image passes on.
    pub getcpu: u64,
    /// What the image passes on.
    pub clock_getres: u64,
    /// What the image passes on.
    pub getrandom: u64,
}

impl Kernels {
    /// Those of the image that is mapped at `base`; `None` for one without a clock.
    pub fn of(image: &Image<'_>, base: u64) -> Option<Kernels> {
        let at = |name: &[u8]| {
            image.function(name).map_or(0, |function| base.saturating_add(function.offset as u64))
        };
        let kernels = Kernels {
            clock_gettime: at(b"__vdso_clock_gettime"),
            getcpu: at(b"__vdso_getcpu"),
            clock_getres: at(b"__vdso_clock_getres"),
            getrandom: at(b"__vdso_getrandom"),
        };
        (kernels.clock_gettime != 0).then_some(kernels)
    }
}

/// An implant in a process.
#[derive(Clone, Copy, Debug)]
pub struct Implant {
    base: u64,
    replacement: Replacement,
}

impl Implant {
    /// Plants it into a stopped process. `reached` is the word for the process's row of evidence.
    pub fn plant(
        calls: &mut Calls<'_>,
        memory: &Memory,
        process: ProcessId,
        node: &Node,
        kernels: &Kernels,
        reached: u64,
    ) -> Result<Implant> {
        let replacement = Replacement::own()?;
        let mut planting = Planting { calls, memory, process, node };
        let base = planting.reserve(&replacement)?;
        let implant = Implant { base, replacement };
        if let Err(why) = planting.fill(&implant, kernels, reached) {
            implant.remove(calls, node, process);
            return Err(why);
        }
        Ok(implant)
    }

    /// The one that a process has of a node's, planted before; whether it is in use is not known from that.
    pub fn find(process: ProcessId, node: &Node) -> Result<Option<Implant>> {
        let replacement = Replacement::own()?;
        let Some(page) = node.mapping_in(process, PAGE_SIZE) else { return Ok(None) };
        let Some(base) = page.checked_sub(replacement.layout.page as u64) else { return Ok(None) };
        let path = format!("/proc/{}/mem", process.pid);
        let read = || -> std::io::Result<Vec<u8>> {
            use std::os::unix::fs::FileExt;
            let mut there = vec![0; replacement.bytes.len()];
            std::fs::File::open(&path)?.read_exact_at(&mut there, base)?;
            Ok(there)
        };
        // The shim has the page mapped as well, and no image before it.
        Ok(read().is_ok_and(|there| there == replacement.bytes).then_some(Implant { base, replacement }))
    }

    /// Where the image is: what AT_SYSINFO_EHDR is to say.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Where a detour leads to.
    pub fn hooks(&self) -> Result<Hooks> {
        self.replacement.hooks(self.base).ok_or_else(|| {
            Error::not_applied("find the functions of the replacement image", "it was built wrongly")
        })
    }

    /// Whether a detour that leads there leads to this one.
    pub fn is_hook(&self, clock_gettime: u64) -> bool {
        self.hooks().is_ok_and(|hooks| hooks.clock_gettime == clock_gettime)
    }

    /// How the process is reached by it: the word for its row of evidence.
    pub fn reached(&self, memory: &View) -> Option<u64> {
        memory.get(self.memory() + (MORE_AT + offset_of!(More, reached)) as u64).map(u64::from_ne_bytes)
    }

    /// Takes it out of a stopped process in which nothing has led to it yet.
    pub fn remove(&self, calls: &mut Calls<'_>, node: &Node, process: ProcessId) {
        seat::free(node, process);
        let length = self.replacement.layout.length as u64;
        let _ = calls.call(libc::SYS_munmap, [self.base, length, 0, 0, 0, 0]);
    }

    /// Whether a process has left it, of which the vDSO leads there no more.
    pub fn is_left(&self, memory: &View) -> bool {
        self.reached(memory) == Some(0)
    }

    /// By what the true clock is read from now on, and how the process is reached: it is stopped.
    pub fn rewire(&self, memory: &Memory, clock_gettime: u64, reached: u64) -> Result<()> {
        memory
            .write(self.memory() + offset_of!(Wiring, clock_gettime) as u64, &clock_gettime.to_ne_bytes())?;
        self.set_reached(memory, reached)
    }

    fn set_reached(&self, memory: &Memory, reached: u64) -> Result<()> {
        memory.write(self.memory() + (MORE_AT + offset_of!(More, reached)) as u64, &reached.to_ne_bytes())
    }

    fn memory(&self) -> u64 {
        self.base + self.replacement.layout.memory as u64
    }

    fn own(&self) -> u64 {
        self.memory() + OWN_AT as u64
    }

    fn wiring(&self, kernels: &Kernels) -> Wiring {
        Wiring {
            page: self.base + self.replacement.layout.page as u64,
            clock_gettime: kernels.clock_gettime,
            phase: LOADED,
            unused: 0,
            evidence: self.base + self.replacement.layout.evidence as u64,
        }
    }
}

/// An implant on its way into a process.
struct Planting<'a, 'b> {
    calls: &'a mut Calls<'b>,
    memory: &'a Memory,
    process: ProcessId,
    node: &'a Node,
}

impl Planting<'_, '_> {
    /// Addresses for all of it, of which the image's are readable and executable from the beginning.
    fn reserve(&mut self, replacement: &Replacement) -> Result<u64> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        self.map(0, replacement.layout.length, libc::PROT_READ | libc::PROT_EXEC, flags, -1)
    }

    fn fill(&mut self, implant: &Implant, kernels: &Kernels, reached: u64) -> Result<()> {
        let layout = implant.replacement.layout;
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        self.map(implant.memory(), MEMORY, writable, anonymous, -1)?;
        let (page, evidence) = self.node.open_files()?;
        let (calls, memory) = (&mut *self.calls, self.memory);
        let process = self.process;
        Passing::new(calls, memory, process, implant.own()).pass(
            [page.as_fd(), evidence.as_fd()],
            |calls, [page, evidence]| {
                let mut planting = Planting { calls, memory, process, node: self.node };
                let shared = libc::MAP_SHARED | libc::MAP_FIXED;
                let at = |offset: usize| implant.base + offset as u64;
                planting.map(at(layout.page), PAGE_SIZE, libc::PROT_READ, shared, page)?;
                planting.map(at(layout.evidence), EVIDENCE_SIZE, writable, shared, evidence).map(drop)
            },
        )?;
        let advice = [implant.own(), 4096, libc::MADV_WIPEONFORK.cast_unsigned().into(), 0, 0, 0];
        self.call(libc::SYS_madvise, advice, "have its memory wiped in children")?;
        self.memory.write(implant.base, implant.replacement.bytes)?;
        let seat = seat::take(self.node, self.process, reached)?;
        let own = Own { row: seat.row, pid: seat.pid, ..Own::default() };
        let more = More {
            getcpu: kernels.getcpu,
            clock_getres: kernels.clock_getres,
            getrandom: kernels.getrandom,
            // Its own, as the pid is that it tells: the row's are those of this process's.
            namespace: namespace_of(self.process.pid).unwrap_or(0),
            reached,
        };
        self.memory.write(implant.own(), &seat::bytes_of_own(&own))?;
        self.memory.write(implant.memory() + MORE_AT as u64, &seat::bytes_of_more(&more))?;
        self.memory.write(implant.memory(), &seat::bytes_of_wiring(&implant.wiring(kernels)))
    }

    fn map(&mut self, at: u64, length: usize, protection: i32, flags: i32, fd: i32) -> Result<u64> {
        let number = |value: i32| i64::from(value).cast_unsigned();
        let args = [at, length as u64, number(protection), number(flags), number(fd), 0];
        self.call(libc::SYS_mmap, args, "map memory")
    }

    fn call(&mut self, nr: libc::c_long, args: [u64; 6], what: &str) -> Result<u64> {
        self.calls.call(nr, args)?.map_err(|errno| {
            let attempted = format!("put the node's clock into process {}", self.process);
            let error = Error::not_applied(attempted, format_args!("it could not {what}: {}", errno.desc()));
            match errno {
                Errno::ENOMEM => error.remedy("let it have 17 MiB of addresses more (ulimit -v)"),
                _ => error,
            }
        })
    }
}
