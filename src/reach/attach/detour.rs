//! The detour of a stopped process's vDSO: whether there is one, how it is made, how it is undone.
//!
//! Which bytes go where is [`falseticker_page::detour`]'s business, and the shim's detour of its own process is made of the same.
//!
//! What must hold: clock_gettime's jump is written last, so that no hook is led to before the true clock that it reads is
//! there; what fails is undone; an island stays mapped for good, since a thread may be in its trampoline.

use falseticker_page::detour::{
    Functions, Hooks, ISLAND_SIZE, PATCH, Plan, Record, Refusal, SLOTS, hook_of, island_of_jump, plan,
};

use super::super::trace::{Memory, Vdso, View};
use super::maps::Maps;
use crate::process::ProcessId;
use crate::{Error, Result};

/// A detour that is in a process's vDSO.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    island: u64,
    record: Record,
    /// Where clock reads go.
    pub hook: u64,
}

impl Standing {
    /// The detour of a process's vDSO, if there is one.
    pub(super) fn of(vdso: &Vdso, memory: &View) -> Option<Standing> {
        let image = vdso.image()?;
        let function = Functions::of(&image)?.clock_gettime;
        let entry = vdso.base() + function.offset as u64;
        let island = island_of_jump(entry, image.code(function)?, 0)?;
        let bytes: [u8; ISLAND_SIZE] = memory.get(island)?;
        let record = Record::parse(&bytes).filter(|record| record.vdso == vdso.base())?;
        Some(Standing { island, record, hook: hook_of(&bytes, 0)? })
    }

    /// Gives the vDSO its own bytes back.
    pub(super) fn undo(&self, memory: &Memory) -> Result<()> {
        for (index, slot) in self.record.slots.iter().enumerate().filter(|(_, slot)| slot.entry != 0) {
            let there: Option<[u8; PATCH]> = memory.get(slot.entry);
            // What somebody else has written there since is his.
            if there.is_some_and(|there| island_of_jump(slot.entry, &there, index) == Some(self.island)) {
                memory.write(slot.entry, &slot.original)?;
            }
        }
        Ok(())
    }
}

/// A detour that is to be made.
pub(super) struct Intended<'a> {
    process: ProcessId,
    vdso: &'a Vdso,
    functions: Functions,
    island: u64,
    /// Whether the island is mapped already: of a detour that was undone.
    pub is_mapped: bool,
}

/// Hooks of a detour of which it is only asked what it overwrites.
const NOWHERE: Hooks = Hooks { clock_gettime: 0, gettimeofday: 0, time: 0 };

impl<'a> Intended<'a> {
    /// Finds the functions, and a place for the island.
    pub(super) fn new(
        process: ProcessId,
        vdso: &'a Vdso,
        memory: &View,
        maps: &Maps,
    ) -> Result<Intended<'a>> {
        let functions = vdso.image().and_then(|image| Functions::of(&image));
        let functions = functions.ok_or_else(|| refused(process, Refusal::NoVdso))?;
        let left = maps.single_code_pages().find(|page| {
            let bytes: Option<[u8; ISLAND_SIZE]> = memory.get(*page);
            let record = bytes.and_then(|bytes| Record::parse(&bytes));
            record.is_some_and(|record| record.vdso == vdso.base())
        });
        let island = left.or_else(|| maps.free_page_near(&vdso.range()));
        let island = island.ok_or_else(|| refused(process, Refusal::NoIsland))?;
        Ok(Intended { process, vdso, functions, island, is_mapped: left.is_some() })
    }

    /// Where the island is, or is to be mapped.
    pub(super) fn island(&self) -> u64 {
        self.island
    }

    /// The plan, without its hooks: for what it overwrites.
    pub(super) fn outline(&self) -> Result<Plan> {
        self.plan(&NOWHERE)
    }

    /// The plan.
    pub(super) fn plan(&self, hooks: &Hooks) -> Result<Plan> {
        let image = self.vdso.image().ok_or_else(|| refused(self.process, Refusal::NoVdso))?;
        plan(&image, self.vdso.base(), &self.functions, self.island, hooks)
            .map_err(|why| refused(self.process, why))
    }
}

/// Writes the jumps of a plan whose island is written.
pub(super) fn write(plan: &Plan, memory: &Memory) -> Result<()> {
    let done = plan.patches.iter().rev().flatten().try_for_each(|patch| memory.write(patch.at, &patch.new));
    done.inspect_err(|_| {
        for patch in plan.patches.iter().flatten() {
            let there: Option<[u8; PATCH]> = memory.get(patch.at);
            if there != Some(patch.old) {
                let _ = memory.write(patch.at, &patch.old);
            }
        }
    })
}

fn refused(process: ProcessId, why: Refusal) -> Error {
    let attempted = format!("detour the vDSO of process {process}");
    let error = |why: &str| Error::not_applied(&attempted, why);
    match why {
        Refusal::NoVdso => error("it is not what a kernel makes"),
        Refusal::NoIsland => error("no page within 2 GiB of it is free"),
        _ => error("its functions begin with instructions that are not known")
            .remedy("start the program by falseticker run instead"),
    }
}

const _: () = assert!(SLOTS == 3, "clock_gettime, gettimeofday and time");
