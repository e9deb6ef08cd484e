//! The mappings of a stopped process: what is free, and where a stack ends.
//!
//! Source: proc_pid_maps(5), proc_pid_limits(5).

use std::ops::Range;

use procfs::process::{LimitValue, MMPermissions, MMapPath, MemoryMap, Process};

use falseticker_page::detour::{near, stack_room};

use crate::process::ProcessId;
use crate::{Error, Result};

const PAGE: u64 = 4096;

/// All mappings, in the order of their addresses.
pub(super) struct Maps {
    all: Vec<MemoryMap>,
    /// Where the main stack may come to be.
    stack: Range<u64>,
}

impl Maps {
    pub(super) fn of(id: ProcessId) -> Result<Maps> {
        let refused = |why| Error::not_applied(format_args!("read the mappings of process {id}"), why);
        let process = Process::new(id.pid).map_err(refused)?;
        let all: Vec<MemoryMap> = process.maps().map_err(refused)?.into_iter().collect();
        let main = all.iter().find(|map| map.pathname == MMapPath::Stack).map(|map| map.address.1);
        let bytes = |value: LimitValue| match value {
            LimitValue::Value(bytes) => bytes,
            LimitValue::Unlimited => u64::MAX,
        };
        let limit = process.limits().map_err(refused)?.max_stack_size;
        let stack =
            main.map_or(0..0, |top| stack_room(top, bytes(limit.soft_limit), bytes(limit.hard_limit)));
        Ok(Maps { all, stack })
    }

    /// Where the mapping ends in which this address lies and which can be written to.
    pub(super) fn end_of(&self, address: u64) -> Option<u64> {
        let within = |map: &&MemoryMap| (map.address.0..map.address.1).contains(&address);
        let map = self.all.iter().find(within)?;
        map.perms.contains(MMPermissions::WRITE).then_some(map.address.1)
    }

    /// A free page within a jump of the vDSO.
    pub(super) fn free_page_near(&self, vdso: &Range<u64>) -> Option<u64> {
        let is_free = |at: u64| self.all.iter().all(|map| at + PAGE <= map.address.0 || map.address.1 <= at);
        near(vdso, &self.stack, is_free)
    }

    /// The pages that could be islands: one page each, of nobody's file, that is executed and not written to.
    pub(super) fn single_code_pages(&self) -> impl Iterator<Item = u64> + '_ {
        let is_one = |map: &&MemoryMap| {
            map.address.1 - map.address.0 == PAGE
                && map.inode == 0
                && map.perms.contains(MMPermissions::EXECUTE)
                && !map.perms.contains(MMPermissions::WRITE)
                && map.pathname != MMapPath::Vdso
        };
        self.all.iter().filter(is_one).map(|map| map.address.0)
    }
}
