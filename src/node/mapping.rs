//! Where a process has a file mapped, by the file's identity and not by its name: the process may see it under another one.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::stat::{major, minor};

use crate::process::ProcessId;

/// The address of the first mapping of that length, from the file's first byte on; `None` where there is none, or where the
/// process's mappings may not be looked at.
pub fn find(process: ProcessId, file: &Path, length: usize) -> Option<u64> {
    let file = std::fs::metadata(file).ok()?;
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", process.pid)).ok()?;
    maps.lines()
        .filter_map(Line::parse)
        .find(|line| line.is_of(&file) && line.length() == length as u64)
        .map(|line| line.from)
}

/// A line of /proc/PID/maps, as far as it matters. Source: proc_pid_maps(5).
struct Line {
    from: u64,
    to: u64,
    offset: u64,
    device: (u64, u64),
    inode: u64,
}

impl Line {
    fn parse(line: &str) -> Option<Line> {
        let hexadecimal = |text: &str| u64::from_str_radix(text, 16).ok();
        let mut fields = line.split_ascii_whitespace();
        let (from, to) = fields.next()?.split_once('-')?;
        let _protection = fields.next()?;
        let offset = fields.next()?;
        let (major, minor) = fields.next()?.split_once(':')?;
        Some(Line {
            from: hexadecimal(from)?,
            to: hexadecimal(to)?,
            offset: hexadecimal(offset)?,
            device: (hexadecimal(major)?, hexadecimal(minor)?),
            inode: fields.next()?.parse().ok()?,
        })
    }

    fn length(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }

    fn is_of(&self, file: &std::fs::Metadata) -> bool {
        let device = (major(file.dev()), minor(file.dev()));
        self.offset == 0 && self.inode == file.ino() && self.device == device
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_kernel_writes_them() {
        let line = "7f10-9f10 r--s 00000000 00:1a 42    /dev/shm/falseticker-0/a b/page (deleted)";
        let line = Line::parse(line).unwrap();
        assert_eq!((line.from, line.length(), line.device, line.inode), (0x7f10, 0x2000, (0, 0x1a), 42));
        assert!(Line::parse("7ffd-7ffe rw-p 00000000 00:00 0   [stack]").is_some());
        assert!(Line::parse("").is_none() && Line::parse("zz-1 r 0 0:0 0").is_none());
    }

    #[test]
    fn a_file_that_is_not_mapped_is_nowhere() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(find(ProcessId::own().unwrap(), file.path(), 4096), None);
        let own = std::env::current_exe().unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let first = maps.lines().next().and_then(Line::parse).unwrap();
        let length = usize::try_from(first.length()).unwrap();
        assert_eq!(find(ProcessId::own().unwrap(), &own, length), Some(first.from));
    }
}
