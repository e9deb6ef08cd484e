//! Whether Go's linker made a file: by its notes, its sections, or what it writes where the data begin.
//!
//! A build id is a note of the owner "Go" in a section `.note.go.buildid`, and in a segment of its own when Go linked the
//! program itself; `-buildid=` leaves it out. What `go version` reads, `.go.buildinfo`, is in every program since 1.13, and
//! is found at the start of the data when even the table of sections was stripped.
//!
//! Source: Go's `cmd/link/internal/ld/elf.go`, `debug/buildinfo/buildinfo.go`.

use object::Endianness;
use object::elf;
use object::read::ReadRef;
use object::read::elf::{FileHeader, ProgramHeader};

use super::{Header, Segment};

/// What begins Go's information about a build.
const BUILD_INFO: &[u8; 14] = b"\xff Go buildinf:";
/// Where it may begin: at a multiple of this.
const ALIGNED: usize = 16;
/// How much of the data `go version` looks at.
const LOOKED_AT: u64 = 64 << 10;

/// Whether Go's linker made the file.
pub(super) fn made<'data, R: ReadRef<'data>>(
    header: &Header,
    segments: &[Segment],
    endian: Endianness,
    data: R,
) -> bool {
    noted(segments, endian, data) || named(header, endian, data) || informed(segments, endian, data)
}

/// By a note.
fn noted<'data, R: ReadRef<'data>>(segments: &[Segment], endian: Endianness, data: R) -> bool {
    segments.iter().any(|segment| {
        let Ok(Some(mut notes)) = segment.notes(endian, data) else {
            return false;
        };
        std::iter::from_fn(|| notes.next().ok().flatten()).any(|note| note.name() == b"Go")
    })
}

/// By a section.
fn named<'data, R: ReadRef<'data>>(header: &Header, endian: Endianness, data: R) -> bool {
    let Ok(sections) = header.sections(endian, data) else {
        return false;
    };
    let names = [b".note.go.buildid".as_slice(), b".go.buildinfo"];
    names.iter().any(|name| sections.section_by_name(endian, name).is_some())
}

/// By what the data begin with.
fn informed<'data, R: ReadRef<'data>>(segments: &[Segment], endian: Endianness, data: R) -> bool {
    let writable = |segment: &&Segment| {
        segment.p_type(endian) == elf::PT_LOAD && segment.p_flags(endian) & elf::PF_W != 0
    };
    let Some((offset, size)) = segments.iter().find(writable).map(|segment| segment.file_range(endian))
    else {
        return false;
    };
    let begin = data.read_bytes_at(offset, size.min(LOOKED_AT)).unwrap_or_default();
    begin.chunks(ALIGNED).any(|chunk| chunk.starts_with(BUILD_INFO))
}
