//! What a terminal sends when a key is pressed, and what it means.
//!
//! The bytes are read here and not by crossterm, whose reader loses a key that comes together with a change of the window's
//! size, and never returns once the terminal is gone.

use super::prompt::What;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Letter(char),
    Control(char),
    Enter,
    Back,
    Escape,
    Tab,
    BackTab,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
}

/// What somebody who pressed a key wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Quit,
    Interrupt,
    Stop,
    Help,
    Up,
    Down,
    First,
    Last,
    PageUp,
    PageDown,
    Ask(What),
    Thaw,
    Heal,
    Edit(Edit),
}

/// What is done to a text that is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    Put(char),
    Back,
    Clear,
    Enter,
    Leave,
}

/// The keys for the footer and the help: what is pressed, in a word what it does, and in a sentence.
pub const KEYS: &[(&str, &str, &str)] = &[
    ("j", "jump", "step the wall clock by a span, as jump NODE SPAN does"),
    ("d", "drift", "let the wall clock run at another rate: drift NODE RATE"),
    ("f", "freeze", "stop its processes, for a length or until thawed: freeze NODE"),
    ("t", "thaw", "let its processes go on: thaw NODE"),
    ("h", "heal", "end all its faults: heal NODE"),
    ("H", "heal all", "the same of every node that is shown, once you have said yes"),
    ("↑↓", "node", "choose a node; Home and End too, Page Up and Down scroll"),
    ("?", "help", "this; any key ends it"),
    ("q", "quit", "leave, as Esc and Ctrl-C do; faults stay in force"),
];

const ESCAPE: u8 = 0x1b;

/// Takes the first key from what a terminal has sent, and whatever is none before it.
pub fn take_key(bytes: &mut Vec<u8>) -> Option<Key> {
    while !bytes.is_empty() {
        let length = sequence(bytes).unwrap_or(bytes.len());
        let sent: Vec<u8> = bytes.drain(..length).collect();
        if let Some(key) = key(&sent) {
            return Some(key);
        }
    }
    None
}

/// Whether more must follow: the beginning of a sequence, or of a letter. Of Esc alone that cannot be known.
pub fn is_unfinished(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some(length) = sequence(rest) else { return true };
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

/// How long the first key's bytes are, if they are all there.
fn sequence(bytes: &[u8]) -> Option<usize> {
    match *bytes {
        [] => None,
        [ESCAPE] | [ESCAPE, b'[' | b'O'] => None,
        [ESCAPE, b'[', ref rest @ ..] => {
            rest.iter().position(|byte| (0x40..=0x7e).contains(byte)).map(|last| last + 3)
        }
        [ESCAPE, b'O', ..] => Some(3),
        // Esc twice is Esc; with a letter it is Alt and that letter.
        [ESCAPE, ESCAPE, ..] => Some(1),
        [ESCAPE, ref rest @ ..] => sequence(rest).map(|length| length + 1),
        [first, ..] => {
            let length = match first {
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf7 => 4,
                _ => 1,
            };
            (length <= bytes.len()).then_some(length)
        }
    }
}

/// The key that sends this; `None` for keys that mean nothing here. ECMA-48 and xterm(1)'s control sequences.
fn key(sent: &[u8]) -> Option<Key> {
    Some(match sent {
        [ESCAPE] => Key::Escape,
        [ESCAPE, b'[' | b'O', b'A'] => Key::Up,
        [ESCAPE, b'[' | b'O', b'B'] => Key::Down,
        [ESCAPE, b'[' | b'O', b'H'] | [ESCAPE, b'[', b'1' | b'7', b'~'] => Key::Home,
        [ESCAPE, b'[' | b'O', b'F'] | [ESCAPE, b'[', b'4' | b'8', b'~'] => Key::End,
        [ESCAPE, b'[', b'5', b'~'] => Key::PageUp,
        [ESCAPE, b'[', b'6', b'~'] => Key::PageDown,
        [ESCAPE, b'[', b'Z'] => Key::BackTab,
        [ESCAPE, ..] => return None,
        b"\r" | b"\n" => Key::Enter,
        b"\t" => Key::Tab,
        [0x7f | 0x08] => Key::Back,
        [control @ 1..=26] => Key::Control(char::from(control + b'a' - 1)),
        letter => {
            let letter = std::str::from_utf8(letter).ok()?.chars().next()?;
            return (!letter.is_control()).then_some(Key::Letter(letter));
        }
    })
}

/// What a key means; `typing` while there is a prompt.
pub fn meaning(key: Key, typing: bool) -> Option<Wish> {
    match key {
        Key::Control('c') => Some(Wish::Interrupt),
        Key::Control('z') => Some(Wish::Stop),
        _ if typing => of_typing(key).map(Wish::Edit),
        _ => of_letters(key),
    }
}

fn of_typing(key: Key) -> Option<Edit> {
    match key {
        Key::Letter(letter) => Some(Edit::Put(letter)),
        Key::Back => Some(Edit::Back),
        Key::Control('u') => Some(Edit::Clear),
        Key::Enter => Some(Edit::Enter),
        Key::Escape => Some(Edit::Leave),
        _ => None,
    }
}

fn of_letters(key: Key) -> Option<Wish> {
    Some(match key {
        Key::Letter('q') | Key::Escape => Wish::Quit,
        Key::Letter('?') => Wish::Help,
        Key::Up | Key::BackTab => Wish::Up,
        Key::Down | Key::Tab => Wish::Down,
        Key::Home => Wish::First,
        Key::End => Wish::Last,
        Key::PageUp => Wish::PageUp,
        Key::PageDown => Wish::PageDown,
        Key::Letter('j') => Wish::Ask(What::Jump),
        Key::Letter('d') => Wish::Ask(What::Drift),
        Key::Letter('f') => Wish::Ask(What::Freeze),
        Key::Letter('H') => Wish::Ask(What::HealAll),
        Key::Letter('t') => Wish::Thaw,
        Key::Letter('h') => Wish::Heal,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
