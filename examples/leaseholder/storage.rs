//! The storage: a document with a number in it. `read NAME TOKEN` is answered with the number; a document is sent page by page, each
//! of which is acknowledged, as `write NAME NUMBER TOKEN PAGE OF`, and takes the place of the old one when its last page is there.
//!
//! It tells what it has read out, written and refused: what it says is what happened.

use std::io;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::{number, serve, tell};

/// What is kept.
struct Document {
    number: u64,
    /// The newest token that was seen.
    token: u64,
}

/// Keeps a document; with `fencing`, also against those whose lease is over.
pub fn run(port: u16, fencing: bool) -> io::Result<()> {
    let document = Mutex::new(Document { number: 0, token: 0 });
    serve(port, |words| {
        let mut document = document.lock().unwrap_or_else(PoisonError::into_inner);
        match words {
            ["read", name, token] => {
                let Ok(token) = number(Some(token)) else { return "refused: no token".to_owned() };
                // Who reads by a newer token is about to write by it: from here on older ones come too late.
                document.token = document.token.max(token);
                tell("read", "ok", name, document.number, json!({}));
                document.number.to_string()
            }
            ["write", name, rest @ ..] => {
                write(&mut document, fencing, name, rest).unwrap_or_else(|why| format!("refused: {why}"))
            }
            _ => "refused: read NAME TOKEN, or write NAME NUMBER TOKEN PAGE OF".to_owned(),
        }
    })
}

fn write(document: &mut Document, fencing: bool, name: &str, words: &[&str]) -> io::Result<String> {
    let word = |index: usize| number::<u64>(words.get(index));
    let (value, token, page, of) = (word(0)?, word(1)?, word(2)?, word(3)?);
    if page < of {
        return Ok("ok".to_owned());
    }
    // The remedy, and all of it.
    if fencing && token < document.token {
        tell("write", "fail", name, value, json!({"token": token}));
        return Ok("refused: older than a token that was seen".to_owned());
    }
    *document = Document { number: value, token: token.max(document.token) };
    tell("write", "ok", name, value, json!({"token": token}));
    Ok("ok".to_owned())
}
