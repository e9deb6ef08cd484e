//! Images to plan for: made up, and this machine's.

use crate::vdso::NOTE_TYPE;
use std::vec::Vec;

/// An image whose clock_gettime has this code; the other two functions are `ret` and nops.
pub fn image_with(code: &[u8]) -> Vec<u8> {
    image(code, &[0xc3, 0x90, 0x90, 0x90, 0x90, 0x90], None)
}

/// The same, with the code of the other two, and a note of this name.
pub fn image(clock_gettime: &[u8], other: &[u8], note: Option<&[u8; 12]>) -> Vec<u8> {
    let names = b"\0__vdso_clock_gettime\0__vdso_gettimeofday\0__vdso_time\0";
    let (symbols_at, strings_at, hash_at, dynamic_at, note_at, code_at) = (512, 640, 700, 768, 896, 1024);
    let mut bytes = std::vec![0_u8; 2048];
    let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
    put(0, b"\x7fELF\x02\x01\x01");
    put(18, &62_u16.to_le_bytes());
    put(32, &64_u64.to_le_bytes());
    put(54, &56_u16.to_le_bytes());
    put(56, &3_u16.to_le_bytes());
    let note_size = note.map_or(0, |name| {
        put(note_at, &12_u32.to_le_bytes());
        put(note_at + 8, &NOTE_TYPE.to_le_bytes());
        put(note_at + 12, name);
        12 + name.len()
    });
    for (index, (kind, at, size)) in
        [(1_u32, 0, 2048), (2, dynamic_at, 96), (4, note_at, note_size)].iter().enumerate()
    {
        let header = 64 + 56 * index;
        put(header, &kind.to_le_bytes());
        put(header + 8, &(*at as u64).to_le_bytes());
        put(header + 16, &(*at as u64).to_le_bytes());
        put(header + 32, &(*size as u64).to_le_bytes());
    }
    for (index, (tag, value)) in
        [(4_u64, hash_at), (5, strings_at), (6, symbols_at), (10, names.len())].iter().enumerate()
    {
        put(dynamic_at + 16 * index, &tag.to_le_bytes());
        put(dynamic_at + 16 * index + 8, &(*value as u64).to_le_bytes());
    }
    put(hash_at + 4, &4_u32.to_le_bytes());
    put(strings_at, names);
    let mut at = code_at;
    for (index, (name, code)) in [(1_u32, clock_gettime), (22, other), (42, other)].iter().enumerate() {
        let symbol = symbols_at + 24 * (index + 1);
        put(symbol, &name.to_le_bytes());
        put(symbol + 4, &[2]);
        put(symbol + 6, &1_u16.to_le_bytes());
        put(symbol + 8, &(at as u64).to_le_bytes());
        put(symbol + 16, &(code.len() as u64).to_le_bytes());
        put(at, code);
        at += code.len().next_multiple_of(16);
    }
    bytes
}

/// The vDSO of this process.
pub fn own_vdso() -> Vec<u8> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).expect("a vDSO");
    let (from, to) = line.split_once(' ').and_then(|(range, _)| range.split_once('-')).expect("a range");
    let parse = |hex| u64::from_str_radix(hex, 16).expect("hex");
    let mut bytes = std::vec![0; usize::try_from(parse(to) - parse(from)).expect("size")];
    let memory = std::fs::File::open("/proc/self/mem").expect("mem");
    std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, parse(from)).expect("vDSO bytes");
    bytes
}
