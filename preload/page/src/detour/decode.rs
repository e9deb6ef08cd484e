//! How long an x86-64 instruction is, where it may go, and whether it may be moved.
//!
//! Lengths are known for all of the integer, SSE and VEX encodings, so that a whole vDSO function can be walked. What may
//! be moved is a short allow-list: what compilers put into a prologue. What must hold: no byte past the given slice is
//! looked at, nothing panics, and what is not known for certain is `None` or not movable.
//! What breaks it: EVEX, XOP, 3DNow! and address-size prefixes, which are refused.
//!
//! Source: Intel SDM volume 2, appendix A (opcode maps) and chapter 2 (instruction format).

/// What an instruction does to the flow of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Runs on, and means the same anywhere.
    Plain,
    /// Runs on; the four bytes at `field` are relative to the instruction's end.
    RipRelative {
        /// Offset of the displacement in the instruction.
        field: usize,
    },
    /// `jcc`, by its condition code, relative to the instruction's end.
    Conditional {
        /// The low four bits of the opcode.
        condition: u8,
        /// The jump's distance from the instruction's end.
        relative: i32,
    },
    /// A relative `jmp`, `call`, `loop` or `jrcxz`.
    Branch {
        /// The jump's distance from the instruction's end.
        relative: i32,
    },
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// In bytes: 1 to 15.
    pub length: usize,
    /// Its flow.
    pub kind: Kind,
    /// Whether it is known to mean the same elsewhere once `kind` has been taken care of.
    pub movable: bool,
}

impl Instruction {
    /// Where it branches to, if that is encoded in it, seen from its end.
    pub fn relative(&self) -> Option<i32> {
        match self.kind {
            Kind::Conditional { relative, .. } | Kind::Branch { relative } => Some(relative),
            Kind::Plain | Kind::RipRelative { .. } => None,
        }
    }
}

/// What follows an opcode.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Nothing, or an immediate of so many bytes.
    Immediate(usize),
    /// A ModRM byte with what it asks for, and an immediate of so many bytes.
    ModRm(usize),
    /// A jump's distance of 1 or 4 bytes.
    Relative(usize),
}

#[derive(Clone, Copy, Default)]
struct Prefixes {
    operand_size: bool,
    repeat: bool,
    other: bool,
    wide: bool,
}

const MAX_LENGTH: usize = 15;

/// Decodes the instruction at the start of `code`; `None` when it is not known or not all there.
pub fn decode(code: &[u8]) -> Option<Instruction> {
    if code.starts_with(&[0xf3, 0x0f, 0x1e, 0xfa]) {
        return Some(Instruction { length: 4, kind: Kind::Plain, movable: true }); // endbr64
    }
    let code = code.get(..MAX_LENGTH).unwrap_or(code);
    let mut prefixes = Prefixes::default();
    let mut at = 0;
    let mut opcode = *code.first()?;
    while matches!(opcode, 0x66 | 0xf2 | 0xf3 | 0xf0 | 0x2e | 0x36 | 0x3e | 0x26 | 0x64 | 0x65) {
        match opcode {
            0x66 => prefixes.operand_size = true,
            0xf2 | 0xf3 => prefixes.repeat = true,
            _ => prefixes.other = true,
        }
        at += 1;
        opcode = *code.get(at)?;
    }
    if opcode & 0xf0 == 0x40 {
        prefixes.wide = opcode & 8 != 0;
        at += 1;
        opcode = *code.get(at)?;
    }
    at += 1;
    match opcode {
        0x0f => {
            let second = *code.get(at)?;
            let (form, at) = match second {
                0x38 => (Form::ModRm(0), at + 2),
                0x3a => (Form::ModRm(1), at + 2),
                _ => (two_byte_form(second)?, at + 1),
            };
            let movable =
                matches!(second, 0x1f | 0xb6 | 0xb7 | 0xbe | 0xbf | 0x80..=0x8f) && !prefixes.repeat;
            finish(code, at, form, second, prefixes, movable)
        }
        0xc4 | 0xc5 => {
            let map = if opcode == 0xc5 { 1 } else { *code.get(at)? & 0x1f };
            let at = if opcode == 0xc5 { at + 1 } else { at + 2 };
            let third = *code.get(at)?;
            let form = match map {
                1 => two_byte_form(third)?,
                2 => Form::ModRm(0),
                3 => Form::ModRm(1),
                _ => return None,
            };
            // A jump cannot be VEX-encoded.
            (!matches!(form, Form::Relative(_))).then_some(())?;
            finish(code, at + 1, form, third, prefixes, false)
        }
        _ => {
            let modrm = code.get(at).copied();
            let form = one_byte_form(opcode, modrm, prefixes)?;
            let movable = one_byte_movable(opcode, modrm) && !prefixes.operand_size && !prefixes.repeat;
            finish(code, at, form, opcode, prefixes, movable)
        }
    }
}

fn finish(
    code: &[u8],
    at: usize,
    form: Form,
    opcode: u8,
    prefixes: Prefixes,
    movable: bool,
) -> Option<Instruction> {
    let movable = movable && !prefixes.other;
    let (length, kind) = match form {
        Form::Immediate(size) => (at + size, Kind::Plain),
        Form::ModRm(immediate) => {
            let (size, rip_relative) = modrm_size(code.get(at..)?)?;
            let kind = if rip_relative { Kind::RipRelative { field: at + 1 } } else { Kind::Plain };
            (at + size + immediate, kind)
        }
        Form::Relative(size) => {
            // An operand-size prefix shortens the distance on some processors and not on others.
            (!prefixes.operand_size).then_some(())?;
            let relative = match size {
                1 => i32::from(i8::from_le_bytes([*code.get(at)?])),
                _ => i32::from_le_bytes(code.get(at..at + 4)?.try_into().ok()?),
            };
            let conditional = matches!((opcode, size), (0x70..=0x7f, 1) | (0x80..=0x8f, 4));
            let condition = opcode & 0xf;
            let kind = if conditional {
                Kind::Conditional { condition, relative }
            } else {
                Kind::Branch { relative }
            };
            (at + size, kind)
        }
    };
    (length <= code.len()).then_some(Instruction { length, kind, movable })
}

/// The size of a ModRM byte with its SIB and displacement, and whether that is relative to the instruction pointer.
fn modrm_size(code: &[u8]) -> Option<(usize, bool)> {
    let modrm = *code.first()?;
    let (mode, rm) = (modrm >> 6, modrm & 7);
    if mode == 3 {
        return Some((1, false));
    }
    let displacement = match mode {
        1 => 1,
        2 => 4,
        _ if rm == 5 => return Some((5, true)),
        _ if rm == 4 && *code.get(1)? & 7 == 5 => 4,
        _ => 0,
    };
    Some((1 + usize::from(rm == 4) + displacement, false))
}

fn one_byte_form(opcode: u8, modrm: Option<u8>, prefixes: Prefixes) -> Option<Form> {
    let word = if prefixes.operand_size && !prefixes.wide { 2 } else { 4 };
    let group = modrm.map(|byte| byte >> 3 & 7);
    Some(match opcode {
        0x00..=0x3f => match opcode & 7 {
            0..=3 => Form::ModRm(0),
            4 => Form::Immediate(1),
            5 => Form::Immediate(word),
            _ => return None,
        },
        0x50..=0x5f | 0x6c..=0x6f | 0x90..=0x99 | 0x9b..=0x9f | 0xa4..=0xa7 | 0xaa..=0xaf => {
            Form::Immediate(0)
        }
        0x63 | 0x84..=0x8e | 0xd0..=0xd3 | 0xd8..=0xdf | 0xfe | 0xff => Form::ModRm(0),
        0x8f => return (group? == 0).then_some(Form::ModRm(0)),
        0x68 | 0xa9 => Form::Immediate(word),
        0x69 | 0x81 => Form::ModRm(word),
        // Any other group is xabort or xbegin, a branch.
        0xc6 => return (group? == 0).then_some(Form::ModRm(1)),
        0xc7 => return (group? == 0).then_some(Form::ModRm(word)),
        0x6a | 0xa8 | 0xb0..=0xb7 | 0xcd | 0xe4..=0xe7 => Form::Immediate(1),
        0x6b | 0x80 | 0x83 | 0xc0 | 0xc1 => Form::ModRm(1),
        0x70..=0x7f | 0xe0..=0xe3 | 0xeb => Form::Relative(1),
        0xe8 | 0xe9 => Form::Relative(4),
        0xa0..=0xa3 => Form::Immediate(8),
        0xb8..=0xbf => Form::Immediate(if prefixes.wide { 8 } else { word }),
        0xc2 | 0xca => Form::Immediate(2),
        0xc8 => Form::Immediate(3),
        0xc3 | 0xc9 | 0xcb | 0xcc | 0xcf | 0xd7 | 0xec..=0xef | 0xf1 | 0xf4 | 0xf5 | 0xf8..=0xfd => {
            Form::Immediate(0)
        }
        0xf6 => Form::ModRm(usize::from(group? < 2)),
        0xf7 => Form::ModRm(if group? < 2 { word } else { 0 }),
        _ => return None,
    })
}

fn two_byte_form(opcode: u8) -> Option<Form> {
    Some(match opcode {
        0x05..=0x09 | 0x0b | 0x0e | 0x30..=0x35 | 0x37 | 0x77 | 0xa0..=0xa2 | 0xa8..=0xaa | 0xc8..=0xcf => {
            Form::Immediate(0)
        }
        0x70..=0x73 | 0xa4 | 0xac | 0xba | 0xc2 | 0xc4..=0xc6 => Form::ModRm(1),
        0x80..=0x8f => Form::Relative(4),
        0x04 | 0x0a | 0x0c | 0x0f | 0x20..=0x27 | 0x36 | 0x38..=0x3f | 0x78..=0x7b | 0xa6 | 0xa7 => {
            return None;
        }
        _ => Form::ModRm(0),
    })
}

/// What a compiler puts into a prologue: pushes, moves, address arithmetic, comparisons, and conditional jumps, which are
/// encoded anew. Nothing that leaves, calls or traps.
fn one_byte_movable(opcode: u8, modrm: Option<u8>) -> bool {
    let group = modrm.map_or(8, |byte| byte >> 3 & 7);
    match opcode {
        0x00..=0x3f => opcode & 7 <= 5,
        0x50..=0x5f
        | 0x63
        | 0x68..=0x6b
        | 0x70..=0x7f
        | 0x80
        | 0x81
        | 0x83..=0x85
        | 0x88..=0x8b
        | 0x8d
        | 0x90 => true,
        0xa8 | 0xa9 | 0xb0..=0xbf | 0xc0 | 0xc1 | 0xc6 | 0xc7 | 0xd0..=0xd3 => true,
        0xf6 | 0xf7 => group <= 3,
        _ => false,
    }
}
