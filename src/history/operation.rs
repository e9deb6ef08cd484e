//! Operations: what a program under test tells of itself, as lines of JSON on its standard output.
//!
//! `{"op": "write", "phase": "invoke", "process": "c1", "value": 5, "mono_ns": 81234567890}`
//!
//! | key | meaning |
//! | --- | --- |
//! | `op` | its name; a line without is no operation |
//! | `phase` (or `type`, as Jepsen has it) | `invoke`, `ok`, `fail`, `info` (nobody knows); `ok` without |
//! | `process` | who: a text or a number; the node without. One process has one operation open at a time |
//! | `value` | anything |
//! | `mono_ns` | what the program's CLOCK_MONOTONIC showed then, in nanoseconds |
//! | others | kept as they are |
//!
//! What must hold: the true instant of the line lies in `from_ns..=until_ns`. With `mono_ns` that is the node's clock read
//! backward, and usually one instant; without, it is what the player can bound: after the last time that the stream was seen
//! empty, and before the line was read.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

/// An operation of a program's.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its name.
    pub op: String,
    /// How far it is.
    pub phase: Phase,
    /// Who.
    pub process: Option<Value>,
    /// What with.
    pub value: Option<Value>,
    /// What else the line said.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// Not before here.
    pub from_ns: i64,
    /// Not after here.
    pub until_ns: i64,
    /// From what that is known: `mono`, the program's own reading, or `bounds`, the player's.
    pub by: String,
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It begins.
    Invoke,
    /// It is done.
    #[default]
    Ok,
    /// It was not done.
    Fail,
    /// Nobody knows.
    Info,
}

/// What a line of output says of an operation, and what its CLOCK_MONOTONIC showed; `None` if it is none.
pub fn read(line: &str) -> Option<(Operation, Option<i64>)> {
    // Most lines are no objects, and are not looked at further.
    let line = line.trim();
    if !line.starts_with('{') {
        return None;
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_str(line) else { return None };
    let op = match fields.remove("op") {
        Some(Value::String(op)) => op,
        _ => return None,
    };
    let phase = fields.get("phase").or(fields.get("type")).cloned();
    let phase = phase.and_then(|phase| serde_json::from_value(phase).ok());
    if phase.is_some() {
        fields.remove("phase").or_else(|| fields.remove("type"));
    }
    let mono = fields.remove("mono_ns").and_then(|mono| mono.as_i64());
    let operation = Operation {
        op,
        phase: phase.unwrap_or_default(),
        process: fields.remove("process"),
        value: fields.remove("value"),
        fields,
        from_ns: 0,
        until_ns: 0,
        by: String::new(),
    };
    Some((operation, mono))
}
