//! A vDSO image, read as untrusted bytes: where its functions are, and whether it is falseticker's own.
//!
//! What must hold: every offset out of the image is checked against the bytes that are there, and any surprise is a
//! `None`; nothing panics, whatever the bytes. The controller and the shim read the same images with this one parser.
//! What breaks it: an image of several PT_LOADs, or one that is larger than [`MAX_IMAGE`]; no kernel makes either.
//!
//! Sources: the kernel's `tools/testing/selftests/vDSO/parse_vdso.c`, `elf(5)`, and for the hash that newer kernels
//! keep alone (they drop DT_HASH) the GNU hash section as binutils and glibc's `dl-lookup.c` have it.

/// The name of the note that marks falseticker's own replacement image, with its NUL.
pub const NOTE_NAME: &[u8; 12] = b"falseticker\0";
/// The type of that note.
pub const NOTE_TYPE: u32 = 1;
/// The largest image that is believed.
pub const MAX_IMAGE: usize = 1 << 20;
/// What must be readable before the image's size is known.
pub const HEADER_PAGE: usize = 4096;

const MAX_SYMBOLS: u32 = 1024;
const EHDR_SIZE: usize = 64;
const PHDR_SIZE: usize = 56;
const SYMBOL_SIZE: usize = 24;
const MAX_PROGRAM_HEADERS: usize = 16;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_NOTE: u32 = 4;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const STT_FUNC: u8 = 2;
const EM_X86_64: u16 = 62;

/// A function of the image: its bytes are `image[offset..offset + size]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// From the image's first byte.
    pub offset: usize,
    /// As the symbol says; never 0, never past the image.
    pub size: usize,
}

/// A parsed image.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    bytes: &'a [u8],
    /// What the image's own addresses count from: 0 but for prelinked images of old kernels.
    origin: u64,
    symbols: usize,
    count: u32,
    strings: usize,
    strings_size: usize,
    ours: bool,
}

/// How long the image is whose first page this is.
pub fn image_size(first_page: &[u8]) -> Option<usize> {
    let load = Headers::of(first_page)?.find(PT_LOAD)?;
    let size = load.offset.checked_add(load.file_size)?;
    (load.offset == 0 && (EHDR_SIZE..=MAX_IMAGE).contains(&size)).then_some(size)
}

impl<'a> Image<'a> {
    /// Parses an image; `None` at the first surprise.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.get(..image_size(bytes)?)?;
        let headers = Headers::of(bytes)?;
        let origin = headers.find(PT_LOAD)?.address;
        let dynamic = headers.find(PT_DYNAMIC)?;
        let table = bytes.get(dynamic.offset..dynamic.offset.checked_add(dynamic.file_size)?)?;

        let (mut symbols, mut strings, mut strings_size, mut hash, mut gnu_hash) =
            (None, None, None, None, None);
        for entry in table.chunks_exact(16) {
            let value = u64_at(entry, 8)?;
            let place = || usize::try_from(value.wrapping_sub(origin)).ok().filter(|at| *at < bytes.len());
            match u64_at(entry, 0)? {
                0 => break,
                DT_SYMTAB => symbols = place(),
                DT_STRTAB => strings = place(),
                DT_STRSZ => strings_size = usize::try_from(value).ok(),
                DT_HASH => hash = place(),
                DT_GNU_HASH => gnu_hash = place(),
                _ => {}
            }
        }
        let count = match (hash, gnu_hash) {
            (Some(at), _) => u32_at(bytes, at.checked_add(4)?)?,
            (None, Some(at)) => gnu_hash_count(bytes, at)?,
            (None, None) => return None,
        };
        let (symbols, strings, strings_size) = (symbols?, strings?, strings_size?);
        let symbols_end = symbols.checked_add(SYMBOL_SIZE.checked_mul(usize::try_from(count).ok()?)?)?;
        let strings_end = strings.checked_add(strings_size)?;
        if count > MAX_SYMBOLS || symbols_end > bytes.len() || strings_end > bytes.len() {
            return None;
        }
        let ours = headers.notes_hold(bytes);
        Some(Self { bytes, origin, symbols, count, strings, strings_size, ours })
    }

    /// The bytes of the image.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether this is falseticker's own replacement image, which skews already.
    pub fn is_ours(&self) -> bool {
        self.ours
    }

    /// A function by its name, given without NUL.
    pub fn function(&self, name: &[u8]) -> Option<Function> {
        (0..self.count)
            .find_map(|index| self.symbol(index).filter(|(at, _)| self.named(*at, name)).map(|(_, f)| f))
    }

    /// The code of a function.
    pub fn code(&self, function: Function) -> Option<&'a [u8]> {
        self.bytes.get(function.offset..function.offset.checked_add(function.size)?)
    }

    /// Every function that the image exports; aliases come more than once.
    pub fn functions(&self) -> impl Iterator<Item = Function> + '_ {
        (0..self.count).filter_map(|index| self.symbol(index).map(|(_, function)| function))
    }

    fn symbol(&self, index: u32) -> Option<(usize, Function)> {
        let at = self.symbols.checked_add(SYMBOL_SIZE.checked_mul(usize::try_from(index).ok()?)?)?;
        let entry = self.bytes.get(at..at.checked_add(SYMBOL_SIZE)?)?;
        let name = usize::try_from(u32_at(entry, 0)?).ok()?;
        let (info, section) = (*entry.get(4)?, u16_at(entry, 6)?);
        let offset = usize::try_from(u64_at(entry, 8)?.wrapping_sub(self.origin)).ok()?;
        let size = usize::try_from(u64_at(entry, 16)?).ok()?;
        let inside = offset >= EHDR_SIZE && offset.checked_add(size)? <= self.bytes.len();
        (info & 0xf == STT_FUNC && section != 0 && size > 0 && inside)
            .then_some((name, Function { offset, size }))
    }

    fn named(&self, at: usize, name: &[u8]) -> bool {
        let strings =
            self.strings.checked_add(self.strings_size).and_then(|end| self.bytes.get(self.strings..end));
        let Some(rest) = strings.and_then(|all| all.get(at..)) else {
            return false;
        };
        rest.strip_prefix(name).is_some_and(|after| after.first() == Some(&0))
    }
}

#[derive(Clone, Copy)]
struct Segment {
    kind: u32,
    offset: usize,
    address: u64,
    file_size: usize,
}

struct Headers<'a> {
    table: &'a [u8],
}

impl<'a> Headers<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let supported = bytes.starts_with(b"\x7fELF\x02\x01\x01") && u16_at(bytes, 18)? == EM_X86_64;
        let at = usize::try_from(u64_at(bytes, 32)?).ok()?;
        let (size, count) = (usize::from(u16_at(bytes, 54)?), usize::from(u16_at(bytes, 56)?));
        if !supported || size != PHDR_SIZE || count > MAX_PROGRAM_HEADERS {
            return None;
        }
        let table = bytes.get(at..at.checked_add(PHDR_SIZE * count)?)?;
        let headers = Self { table };
        let loads = headers.segments().filter(|segment| segment.kind == PT_LOAD).count();
        (loads == 1).then_some(headers)
    }

    fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        self.table.chunks_exact(PHDR_SIZE).filter_map(|entry| {
            Some(Segment {
                kind: u32_at(entry, 0)?,
                offset: usize::try_from(u64_at(entry, 8)?).ok()?,
                address: u64_at(entry, 16)?,
                file_size: usize::try_from(u64_at(entry, 32)?).ok()?,
            })
        })
    }

    fn find(&self, kind: u32) -> Option<Segment> {
        self.segments().find(|segment| segment.kind == kind)
    }

    fn notes_hold(&self, bytes: &[u8]) -> bool {
        self.segments().filter(|segment| segment.kind == PT_NOTE).any(|segment| {
            let end = segment.offset.checked_add(segment.file_size);
            end.and_then(|end| bytes.get(segment.offset..end))
                .is_some_and(|notes| holds_our_note(notes) == Some(true))
        })
    }
}

fn holds_our_note(notes: &[u8]) -> Option<bool> {
    let mut rest = notes;
    while rest.len() >= 12 {
        let name_size = usize::try_from(u32_at(rest, 0)?).ok()?;
        let description_size = usize::try_from(u32_at(rest, 4)?).ok()?;
        let name = rest.get(12..name_size.checked_add(12)?)?;
        if name == NOTE_NAME && u32_at(rest, 8)? == NOTE_TYPE {
            return Some(true);
        }
        let padded = |size: usize| size.checked_next_multiple_of(4);
        let next = padded(name_size)?.checked_add(padded(description_size)?)?.checked_add(12)?;
        rest = rest.get(next..)?;
    }
    Some(false)
}

/// The number of symbols: one more than the last that a chain reaches.
fn gnu_hash_count(bytes: &[u8], at: usize) -> Option<u32> {
    let table = bytes.get(at..)?;
    let (buckets, first) = (u32_at(table, 0)?, u32_at(table, 4)?);
    let bloom_words = usize::try_from(u32_at(table, 8)?).ok()?;
    let buckets_at = 16_usize.checked_add(bloom_words.checked_mul(8)?)?;
    let chains_at = buckets_at.checked_add(usize::try_from(buckets).ok()?.checked_mul(4)?)?;
    let mut last = 0;
    for entry in table.get(buckets_at..chains_at)?.chunks_exact(4) {
        last = u32_at(entry, 0)?.max(last);
    }
    if last < first {
        return Some(first);
    }
    while last < MAX_SYMBOLS {
        let index = usize::try_from(last.checked_sub(first)?).ok()?;
        if u32_at(table, chains_at.checked_add(index.checked_mul(4)?)?)? & 1 == 1 {
            return last.checked_add(1);
        }
        last = last.checked_add(1)?;
    }
    None
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}
