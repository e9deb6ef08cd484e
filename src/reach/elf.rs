//! What an ELF file is: for which processor, how it is linked, by which libc, whether Go or a sanitizer built it.
//!
//! What must hold: any bytes give an [`Image`] or a [`Malformed`], never a panic; only the parts that are asked
//! for are read, so that a program of hundreds of megabytes costs little.
//!
//! Source: elf(5), the kernel's `fs/binfmt_elf.c`, ld.so(8).

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use object::Endianness;
use object::elf;
use object::elf::{FileHeader32, FileHeader64, ProgramHeader64};
use object::read::ReadRef;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};

mod go;
mod sanitizer;

pub use sanitizer::Sanitizer;

/// The processor that the shim is built for.
#[cfg(target_arch = "x86_64")]
const NATIVE: u16 = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const NATIVE: u16 = elf::EM_AARCH64;

/// Why a file that begins as an ELF file is none that can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(String);

impl From<object::read::Error> for Malformed {
    fn from(error: object::read::Error) -> Self {
        Malformed(error.to_string())
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn malformed(why: &str) -> Malformed {
    Malformed(why.to_owned())
}

type Result<T> = std::result::Result<T, Malformed>;
type Header = FileHeader64<Endianness>;
type Segment = ProgramHeader64<Endianness>;

/// The C library of a dynamically linked program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libc {
    /// GNU.
    Glibc,
    /// musl.
    Musl,
    /// One whose loader has another name.
    Other,
}

/// What a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Linked dynamically.
    Dynamic(Libc),
    /// Written in Go and linked dynamically: it calls the vDSO past its libc.
    GoDynamic(Libc),
    /// The dynamic loader itself, which loads the program that is its argument.
    Loader(Libc),
    /// Linked statically at a fixed address.
    Static,
    /// Linked statically, at any address.
    StaticPie,
    /// Written in Go and linked statically.
    GoStatic,
    /// For another processor or with other pointers than the shim.
    Foreign {
        /// 32 or 64.
        bits: u8,
        /// `e_machine`.
        machine: u16,
    },
}

impl fmt::Display for Libc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Libc::Glibc => "glibc",
            Libc::Musl => "musl",
            Libc::Other => "unknown libc",
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Dynamic(libc) => write!(f, "dynamic, {libc}"),
            Kind::GoDynamic(_) => f.write_str("Go, dynamic"),
            Kind::Loader(libc) => write!(f, "dynamic loader, {libc}"),
            Kind::Static => f.write_str("static"),
            Kind::StaticPie => f.write_str("static-pie"),
            Kind::GoStatic => f.write_str("Go, static"),
            Kind::Foreign { bits, machine } => write!(f, "{bits}-bit {}", machine_name(*machine)),
        }
    }
}

fn machine_name(machine: u16) -> String {
    let name = match machine {
        elf::EM_386 => "x86",
        elf::EM_X86_64 => "x86-64",
        elf::EM_ARM => "ARM",
        elf::EM_AARCH64 => "aarch64",
        elf::EM_RISCV => "RISC-V",
        elf::EM_PPC64 => "POWER",
        elf::EM_S390 => "s390",
        elf::EM_MIPS => "MIPS",
        elf::EM_LOONGARCH => "LoongArch",
        _ => return format!("ELF machine {machine}"),
    };
    name.to_owned()
}

/// What was read of an ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What it is.
    pub kind: Kind,
    /// Its PT_INTERP: the loader that the kernel starts in its place.
    pub loader: Option<PathBuf>,
    /// The sanitizer it was built with.
    pub sanitizer: Option<Sanitizer>,
    /// The library that its runtime is, if it is one that the program needs.
    pub sanitizer_runtime: Option<String>,
}

/// Whether a file is an ELF file at all, going by its first bytes.
#[must_use]
pub fn is_elf(head: &[u8]) -> bool {
    head.starts_with(&elf::ELFMAG)
}

/// Reads an ELF file.
pub fn read<'data, R: ReadRef<'data>>(data: R) -> Result<Image> {
    Ok(match look(data)? {
        Found::Foreign(kind) => Image { kind, loader: None, sanitizer: None, sanitizer_runtime: None },
        Found::Native { header, endian, kind, loader, needed } => {
            let library = Sanitizer::of_libraries(&needed);
            Image {
                kind,
                loader: loader.map(|name| PathBuf::from(OsStr::from_bytes(name))),
                sanitizer: library
                    .map(|(sanitizer, _)| sanitizer)
                    .or_else(|| Sanitizer::of_symbols(header, endian, data)),
                sanitizer_runtime: library.map(|(_, name)| String::from_utf8_lossy(name).into_owned()),
            }
        }
    })
}

/// What an ELF file is. Its symbols, of which there may be many, are not read.
pub fn kind<'data, R: ReadRef<'data>>(data: R) -> Result<Kind> {
    look(data).map(|found| match found {
        Found::Foreign(kind) | Found::Native { kind, .. } => kind,
    })
}

/// What is read of an ELF file without its symbols.
enum Found<'data> {
    /// For another machine.
    Foreign(Kind),
    /// For this one.
    Native {
        header: &'data Header,
        endian: Endianness,
        kind: Kind,
        loader: Option<&'data [u8]>,
        needed: Vec<&'data [u8]>,
    },
}

fn look<'data, R: ReadRef<'data>>(data: R) -> Result<Found<'data>> {
    let foreign = |bits, machine| Ok(Found::Foreign(Kind::Foreign { bits, machine }));
    let Ok(header) = Header::parse(data) else {
        let header = FileHeader32::<Endianness>::parse(data)?;
        return foreign(32, header.e_machine(header.endian()?));
    };
    let endian = header.endian()?;
    let machine = header.e_machine(endian);
    if machine != NATIVE || endian != Endianness::default() {
        return foreign(64, machine);
    }
    if ![elf::ET_EXEC, elf::ET_DYN].contains(&header.e_type(endian)) {
        return Err(malformed("it is an object file or a core file"));
    }
    let segments = header.program_headers(endian, data)?;
    if segments.is_empty() {
        return Err(malformed("it has no program headers"));
    }
    let mut loader = None;
    for segment in segments {
        loader = loader.or(segment.interpreter(endian, data)?);
    }
    let DynamicNames { needed, soname } = dynamic_names(segments, endian, data)?;
    let go = go::made(header, segments, endian, data);
    let kind = match loader {
        Some(loader) if go => Kind::GoDynamic(libc_of(loader, &needed)),
        Some(loader) => Kind::Dynamic(libc_of(loader, &needed)),
        None if go => Kind::GoStatic,
        None if header.e_type(endian) == elf::ET_EXEC => Kind::Static,
        None => soname.and_then(libc_of_loader).map_or(Kind::StaticPie, Kind::Loader),
    };
    Ok(Found::Native { header, endian, kind, loader, needed })
}

fn libc_of(loader: &[u8], needed: &[&[u8]]) -> Libc {
    let file = loader.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    libc_of_loader(file)
        .or_else(|| needed.iter().find_map(|name| libc_of_loader(name)))
        .unwrap_or(Libc::Other)
}

/// The libc that a loader's or a C library's own name tells of.
fn libc_of_loader(name: &[u8]) -> Option<Libc> {
    if name.starts_with(b"ld-linux") || name == b"libc.so.6" {
        Some(Libc::Glibc)
    } else if name.starts_with(b"ld-musl") || name.starts_with(b"libc.musl") || name == b"libc.so" {
        Some(Libc::Musl)
    } else {
        None
    }
}

/// The names in the dynamic section.
#[derive(Default)]
struct DynamicNames<'data> {
    needed: Vec<&'data [u8]>,
    soname: Option<&'data [u8]>,
}

fn dynamic_names<'data, R: ReadRef<'data>>(
    segments: &[Segment],
    endian: Endianness,
    data: R,
) -> Result<DynamicNames<'data>> {
    let mut names = DynamicNames::default();
    let mut entries = [].as_slice();
    for segment in segments {
        if let Some(found) = segment.dynamic(endian, data)? {
            entries = found;
        }
    }
    let value = |tag: u32| {
        entries.iter().find(|entry| entry.tag32(endian) == Some(tag)).map(|entry| entry.d_val(endian))
    };
    let (Some(address), Some(size)) = (value(elf::DT_STRTAB), value(elf::DT_STRSZ)) else {
        return Ok(names);
    };
    let table = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
        .find_map(|segment| {
            let (offset, filesz) = segment.file_range(endian);
            let within = address.checked_sub(segment.p_vaddr(endian))?;
            (within.checked_add(size)? <= filesz).then_some(())?;
            data.read_bytes_at(offset.checked_add(within)?, size).ok()
        })
        .ok_or_else(|| malformed("its dynamic string table lies outside of the file"))?;
    for entry in entries {
        match entry.tag32(endian) {
            Some(elf::DT_NULL) => break,
            Some(elf::DT_NEEDED) => names.needed.extend(string_at(table, entry.d_val(endian))),
            Some(elf::DT_SONAME) => names.soname = string_at(table, entry.d_val(endian)),
            _ => {}
        }
    }
    Ok(names)
}

/// The string that starts at an offset of a string table.
fn string_at(table: &[u8], offset: u64) -> Option<&[u8]> {
    table.get(usize::try_from(offset).ok()?..)?.split(|byte| *byte == 0).next()
}

#[cfg(test)]
mod tests;
