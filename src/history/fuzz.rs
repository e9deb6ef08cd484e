//! What a fuzzer does with any bytes; see `fuzz/`. It has a place here so that the tests run it too.

use super::{Reader, describe, operation};

/// Any bytes are a history or an error; each of its lines can be told, and is written and read back the same.
pub fn one(bytes: &[u8]) {
    let _ = operation::read(&String::from_utf8_lossy(bytes));
    let Ok(mut reader) = Reader::new(bytes, "fuzz") else { return };
    while let Ok(Some(line)) = reader.next_line() {
        describe(&line);
        let text = serde_json::to_vec(&line).expect("a line can be written");
        let again: super::Line = serde_json::from_slice(&text).expect("what is written can be read");
        assert_eq!(serde_json::to_vec(&again).expect("a line can be written"), text);
    }
}
