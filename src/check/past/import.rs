//! Jepsen's operations, as lines of JSON or of EDN: `{:type :invoke, :f :read, :value nil, :process 0, :time 5}`.
//!
//! `:f` is the operation's name, `:time` its instant in nanoseconds. Where no line has a time, the order of the lines is all that
//! is known of instants. What the nemesis did is left out. Sources: <https://github.com/jepsen-io/history>,
//! <https://github.com/edn-format/edn>.

use clojure_reader::edn::{self, Edn};
use serde_json::{Map, Number, Value};

use super::{Collector, Past, no_history, refused};
use crate::error::Result;
use crate::history::{Operation, Phase};

/// How deep a value may be nested.
const DEEPEST: usize = 64;

/// Reads them all.
pub fn read(text: &str, is_edn: bool, name: &str) -> Result<Past> {
    let mut collector = Collector::bare(name);
    let mut has_times = None;
    let mut last = i64::MIN;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || (is_edn && line.starts_with(';')) {
            continue;
        }
        let value =
            if is_edn { of_edn(line) } else { serde_json::from_str(line).map_err(|why| why.to_string()) };
        let Value::Object(fields) = value.map_err(|why| refused(name, number, why))? else {
            return Err(refused(name, number, "it is no operation"));
        };
        let (operation, time) = operation(fields).map_err(|why| refused(name, number, why))?;
        if *has_times.get_or_insert(time.is_some()) != time.is_some() {
            return Err(refused(name, number, "some operations have a time, and some have none"));
        }
        let at = time.unwrap_or_else(|| i64::try_from(number).unwrap_or(i64::MAX));
        if at < last {
            return Err(refused(name, number, "its time is before that of the line before"));
        }
        last = at;
        let is_client = operation.process.as_ref().is_some_and(Value::is_number);
        if is_client {
            let operation = Operation { from_ns: at, until_ns: at, ..operation };
            collector.operation("", &operation, number, true)?;
        }
    }
    if has_times.is_none() {
        return Err(no_history(name, "it is empty"));
    }
    collector.past().is_order_only = has_times == Some(false);
    (collector.past().start, collector.past().end) = (None, Some(last));
    Ok(collector.finish())
}

/// A line's operation, and its time.
fn operation(mut fields: Map<String, Value>) -> std::result::Result<(Operation, Option<i64>), String> {
    let Some(Value::String(op)) = fields.remove("f") else {
        return Err("it has no f, the name of the operation".to_owned());
    };
    let phase = fields.remove("type").unwrap_or_default();
    let phase: Phase = serde_json::from_value(phase.clone())
        .map_err(|_| format!("its type is {phase}, and none of invoke, ok, fail and info"))?;
    let time = match fields.remove("time") {
        None | Some(Value::Null) => None,
        Some(time) => {
            Some(time.as_i64().filter(|time| *time >= 0).ok_or("its time is no number of nanoseconds")?)
        }
    };
    let process = Some(fields.remove("process").ok_or("it has no process")?);
    let value = fields.remove("value");
    let by = "bounds".to_owned();
    Ok((Operation { op, phase, process, value, fields, from_ns: 0, until_ns: 0, by }, time))
}

fn of_edn(line: &str) -> std::result::Result<Value, String> {
    let read = edn::read_string(line).map_err(|why| format!("it is no EDN: {why}"))?;
    json(&read, 0).ok_or_else(|| format!("it is nested more than {DEEPEST} deep"))
}

/// The same as JSON: keywords, symbols and characters are texts, a tag is left out.
fn json(edn: &Edn<'_>, depth: usize) -> Option<Value> {
    if depth > DEEPEST {
        return None;
    }
    let list = |items: &[Edn<'_>]| items.iter().map(|item| json(item, depth + 1)).collect::<Option<Vec<_>>>();
    Some(match edn {
        Edn::Vector(items) | Edn::List(items) => Value::Array(list(items)?),
        Edn::Set(items) => {
            Value::Array(items.iter().map(|item| json(item, depth + 1)).collect::<Option<_>>()?)
        }
        Edn::Map(map) => {
            let entry = |(key, value): (&Edn<'_>, &Edn<'_>)| {
                let key = match json(key, depth + 1)? {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                Some((key, json(value, depth + 1)?))
            };
            Value::Object(map.iter().map(entry).collect::<Option<_>>()?)
        }
        Edn::Key(text) | Edn::Symbol(text) | Edn::Str(text) => Value::String(text.to_string()),
        Edn::Int(number) => Value::from(*number),
        Edn::Double(number) => Number::from_f64(number.into_inner()).map_or(Value::Null, Value::Number),
        Edn::Tagged(_, inner) => json(inner, depth + 1)?,
        Edn::Char(letter) => Value::String(letter.to_string()),
        Edn::Bool(is) => Value::Bool(*is),
        Edn::Nil => Value::Null,
        other => Value::String(other.to_string()),
    })
}
