//! The next function of a name: found by walking the dynamic linker's list of loaded objects.
//!
//! Why not dlsym: it allocates and takes locks, and deadlocks inside an allocator's own start.
//!
//! What must hold: only objects after this library are asked, as RTLD_NEXT has it: one before it (a sanitizer's runtime, which
//! insists on being first) has functions of the same names that lead here; of a symbol's versions the default one is taken, or the one that is asked for; every table is taken from the object's own dynamic section, as the linker relocated it.
//! Source: the System V ABI, <link.h>, and the GNU hash section as ld.so reads it.
#![allow(unsafe_code)]
// Sound because the lists and tables are those that the dynamic linker made and itself follows; nothing is unloaded
// while this runs at load, and libc is never unloaded.

use core::ffi::CStr;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::arch::itself::dynamic_section;
use crate::vdso::auxiliary;

const AT_PHDR: u64 = 3;
const AT_PHNUM: u64 = 5;
const PT_DYNAMIC: u32 = 2;
const PT_PHDR: u32 = 6;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_DEBUG: u64 = 21;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_VERSYM: u64 = 0x6fff_fff0;
const DT_VERDEF: u64 = 0x6fff_fffc;
const STT_FUNC: u8 = 2;
const STT_GNU_IFUNC: u8 = 10;
/// The bit of a version index that hides a symbol from all but those who ask for that version.
const HIDDEN: u16 = 0x8000;

#[repr(C)]
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    physical: u64,
    file_size: u64,
    memory_size: u64,
    align: u64,
}

#[repr(C)]
struct Dynamic {
    tag: u64,
    value: usize,
}

#[repr(C)]
struct Debug {
    version: i32,
    map: *const LinkMap,
}

#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const core::ffi::c_char,
    dynamic: *const Dynamic,
    next: *const LinkMap,
    previous: *const LinkMap,
}

/// `Elf64_Verdef`
#[repr(C)]
struct VersionDefinition {
    version: u16,
    flags: u16,
    index: u16,
    names: u16,
    hash: u32,
    name_at: u32,
    next_at: u32,
}

#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: usize,
    size: u64,
}

/// The address of the function that a program would get without this library; 0 if there is none.
pub fn find(name: &CStr) -> usize {
    // SAFETY: see the head of this file.
    unsafe { find_in_list(&Wanted { name, version: None }).unwrap_or(0) }
}

/// The same of the function that a program gets which was linked against this version of the symbol.
pub fn find_version(name: &CStr, version: &CStr) -> usize {
    // SAFETY: see the head of this file.
    unsafe { find_in_list(&Wanted { name, version: Some(version) }).unwrap_or(0) }
}

/// A name, and a version or the default one.
struct Wanted<'a> {
    name: &'a CStr,
    version: Option<&'a CStr>,
}

/// The dynamic linker's list, once it is found: it stays where it is.
static LIST: AtomicPtr<Debug> = AtomicPtr::new(core::ptr::null_mut());

unsafe fn list() -> Option<&'static Debug> {
    // SAFETY: the auxiliary vector's own pointers.
    unsafe {
        if let Some(known) = LIST.load(Ordering::Relaxed).as_ref() {
            return Some(known);
        }
        let headers = auxiliary(AT_PHDR)? as *const ProgramHeader;
        let count = auxiliary(AT_PHNUM)? as usize;
        let header = |kind| (0..count).map(|at| &*headers.add(at)).find(|header| header.kind == kind);
        let base = match header(PT_PHDR) {
            Some(own) => (headers as usize).wrapping_sub(own.address as usize),
            None => 0,
        };
        let dynamic = base.wrapping_add(header(PT_DYNAMIC)?.address as usize) as *const Dynamic;
        let list = entry(dynamic, DT_DEBUG)? as *mut Debug;
        LIST.store(list, Ordering::Relaxed);
        list.as_ref()
    }
}

unsafe fn find_in_list(wanted: &Wanted<'_>) -> Option<usize> {
    // SAFETY: the linker's list.
    unsafe {
        let mut object = list()?.map.as_ref();
        while object.is_some_and(|map| !is_this_library(map)) {
            object = object?.next.as_ref();
        }
        while let Some(map) = object?.next.as_ref() {
            if let Some(address) = Tables::of(map).and_then(|tables| tables.look_up(wanted)) {
                return Some(address);
            }
            object = Some(map);
        }
        None
    }
}

/// An object is told by its dynamic section, which the linker calls `_DYNAMIC`.
fn is_this_library(map: &LinkMap) -> bool {
    map.dynamic as usize == dynamic_section()
}

/// The value of a dynamic section's entry; `None` where it is missing or null.
unsafe fn entry(dynamic: *const Dynamic, tag: u64) -> Option<usize> {
    let mut at = dynamic;
    // SAFETY: a dynamic section ends with a null entry.
    unsafe {
        while (*at).tag != 0 {
            if (*at).tag == tag {
                return Some((*at).value).filter(|value| *value != 0);
            }
            at = at.add(1);
        }
    }
    None
}

/// An object's symbol tables.
struct Tables {
    base: usize,
    symbols: *const Symbol,
    strings: *const core::ffi::c_char,
    versions: *const u16,
    definitions: *const VersionDefinition,
    gnu: *const u32,
    sysv: *const u32,
}

impl Tables {
    unsafe fn of(map: &LinkMap) -> Option<Self> {
        // glibc adds the base to these entries in place, musl does not, and nor does anybody for the vDSO.
        let absolute = |value: usize| if value < map.base { value.wrapping_add(map.base) } else { value };
        // SAFETY: the map's own dynamic section.
        let table = |tag| unsafe { entry(map.dynamic, tag) }.map(absolute);
        Some(Tables {
            base: map.base,
            symbols: table(DT_SYMTAB)? as *const Symbol,
            strings: table(DT_STRTAB)? as *const core::ffi::c_char,
            versions: table(DT_VERSYM).unwrap_or(0) as *const u16,
            definitions: table(DT_VERDEF).unwrap_or(0) as *const VersionDefinition,
            gnu: table(DT_GNU_HASH).unwrap_or(0) as *const u32,
            sysv: table(DT_HASH).unwrap_or(0) as *const u32,
        })
    }

    /// The address of a defined, visible function of that name.
    unsafe fn look_up(&self, name: &Wanted<'_>) -> Option<usize> {
        // SAFETY: the tables are those of one object.
        unsafe {
            if !self.gnu.is_null() {
                self.by_gnu_hash(name)
            } else if !self.sysv.is_null() {
                let count = *self.sysv.add(1);
                (0..count).find_map(|index| self.if_named(index, name))
            } else {
                None
            }
        }
    }

    unsafe fn by_gnu_hash(&self, name: &Wanted<'_>) -> Option<usize> {
        let hash = name
            .name
            .to_bytes()
            .iter()
            .fold(5381_u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)));
        // SAFETY: the section's layout: four words, the filter, the buckets, the chains.
        unsafe {
            let (buckets, first, filter) = (*self.gnu, *self.gnu.add(1), *self.gnu.add(2) as usize);
            let bucket = self.gnu.add(4 + 2 * filter);
            let chain = bucket.add(buckets as usize);
            let mut index = *bucket.add((hash.checked_rem(buckets)?) as usize);
            if index < first {
                return None;
            }
            loop {
                let link = *chain.add((index - first) as usize);
                if (link ^ hash) >> 1 == 0
                    && let Some(address) = self.if_named(index, name)
                {
                    return Some(address);
                }
                if link & 1 != 0 {
                    return None;
                }
                index += 1;
            }
        }
    }

    unsafe fn if_named(&self, index: u32, wanted: &Wanted<'_>) -> Option<usize> {
        // SAFETY: the index is one of the table's own.
        unsafe {
            let symbol = &*self.symbols.add(index as usize);
            if symbol.section == 0
                || !is_named(self.strings.add(symbol.name as usize), wanted.name)
                || !self.is_of_version(index, wanted.version)
            {
                return None;
            }
            let address = self.base.wrapping_add(symbol.value);
            match symbol.info & 15 {
                STT_FUNC => Some(address),
                STT_GNU_IFUNC => {
                    let resolve: extern "C" fn() -> usize = core::mem::transmute(address);
                    Some(resolve())
                }
                _ => None,
            }
        }
    }
}

impl Tables {
    /// Whether a symbol has this version, or is the default one where none is asked for.
    unsafe fn is_of_version(&self, index: u32, version: Option<&CStr>) -> bool {
        // SAFETY: one word a symbol; then the list of versions, each entry saying how far on the next one is.
        unsafe {
            let own = if self.versions.is_null() { 1 } else { *self.versions.add(index as usize) };
            let Some(version) = version else { return own & HIDDEN == 0 };
            let mut definition = self.definitions;
            while let Some(this) = definition.as_ref() {
                if this.index == own & !HIDDEN {
                    let name = definition.byte_add(this.name_at as usize).cast::<u32>();
                    return is_named(self.strings.add(*name as usize), version);
                }
                if this.next_at == 0 {
                    break;
                }
                definition = definition.byte_add(this.next_at as usize);
            }
            false
        }
    }
}

/// Whether a string of an object's table is `name`; read no further than the first difference.
unsafe fn is_named(string: *const core::ffi::c_char, name: &CStr) -> bool {
    // SAFETY: the table's strings end in NUL, and so does the comparison at the latest.
    name.to_bytes_with_nul().iter().enumerate().all(|(at, byte)| unsafe { *string.add(at) as u8 } == *byte)
}
