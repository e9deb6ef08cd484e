//! Which sanitizer a program was built with, by the libraries it needs and by its symbols.
//!
//! Source: the runtimes in GCC's `libsanitizer` and LLVM's `compiler-rt`; linked into the program itself (clang's
//! default) they leave no library to see, but their start stays among the symbols.

use std::fmt;

use object::Endianness;
use object::elf;
use object::read::ReadRef;
use object::read::elf::{FileHeader, SectionHeader, Sym};

use super::{Header, string_at};

/// A sanitizer whose runtime insists on being loaded first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sanitizer {
    /// AddressSanitizer.
    Address,
    /// ThreadSanitizer.
    Thread,
    /// MemorySanitizer.
    Memory,
    /// LeakSanitizer.
    Leak,
    /// Hardware-assisted AddressSanitizer.
    HwAddress,
}

/// The sanitizers: the library each is in and the symbol that calls it to life.
const SANITIZERS: [(Sanitizer, &[u8], &[u8]); 5] = [
    (Sanitizer::Address, b"libasan.", b"__asan_init"),
    (Sanitizer::Thread, b"libtsan.", b"__tsan_init"),
    (Sanitizer::Memory, b"libmsan.", b"__msan_init"),
    (Sanitizer::Leak, b"liblsan.", b"__lsan_init"),
    (Sanitizer::HwAddress, b"libhwasan.", b"__hwasan_init"),
];

impl fmt::Display for Sanitizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sanitizer::Address => "AddressSanitizer",
            Sanitizer::Thread => "ThreadSanitizer",
            Sanitizer::Memory => "MemorySanitizer",
            Sanitizer::Leak => "LeakSanitizer",
            Sanitizer::HwAddress => "HWAddressSanitizer",
        })
    }
}

impl Sanitizer {
    /// The one whose library is among those that a program needs, and that library.
    pub(super) fn of_libraries<'data>(needed: &[&'data [u8]]) -> Option<(Self, &'data [u8])> {
        SANITIZERS.iter().find_map(|(sanitizer, library, _)| {
            let runtime = needed.iter().find(|needed| needed.starts_with(library))?;
            Some((*sanitizer, *runtime))
        })
    }

    /// The one whose start is among a file's symbols. A weak reference to it does not count: a program may ask
    /// whether a sanitizer is there without having been built with it.
    pub(super) fn of_symbols<'data, R: ReadRef<'data>>(
        header: &Header,
        endian: Endianness,
        data: R,
    ) -> Option<Sanitizer> {
        let sections = header.section_headers(endian, data).ok()?;
        for section in sections {
            if ![elf::SHT_DYNSYM, elf::SHT_SYMTAB].contains(&section.sh_type(endian)) {
                continue;
            }
            // The strings are read as one piece: a look-up of each through the cache would be a read each.
            let strings = sections.get(usize::try_from(section.sh_link(endian)).ok()?);
            let strings = strings.and_then(|strings| strings.data(endian, data).ok()).unwrap_or_default();
            let symbols =
                section.data_as_array::<elf::Sym64<Endianness>, _>(endian, data).unwrap_or_default();
            for symbol in symbols {
                let weak = symbol.st_bind() == elf::STB_WEAK && symbol.st_shndx(endian) == elf::SHN_UNDEF;
                let offset = u64::from(symbol.st_name(endian));
                let from = usize::try_from(offset).ok().and_then(|offset| strings.get(offset..));
                if weak || !from.is_some_and(|from| from.starts_with(b"__")) {
                    continue;
                }
                let name = string_at(strings, offset);
                if let Some(found) = SANITIZERS.iter().find(|(_, _, init)| name == Some(*init)) {
                    return Some(found.0);
                }
            }
        }
        None
    }
}
