//! Values as they are written in a scenario and in a history: the command line's own texts, read by the same readers.
//!
//! What must hold: what is written reads back as the same value; a text that the command line would refuse is refused here
//! with the same words.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_with::{DeserializeAs, SerializeAs};

use crate::units::{format_instant, format_rate, format_span, parse_instant, parse_rate, parse_span};
use crate::{NodeInstant, Rate, Result, Span};

/// Both ways between a value and its text.
macro_rules! by_text {
    ($(#[$doc:meta])* $name:ident, $value:ty, $parse:expr, $format:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl SerializeAs<$value> for $name {
            fn serialize_as<S: Serializer>(value: &$value, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                let format: fn($value) -> String = $format;
                serializer.serialize_str(&format(*value))
            }
        }

        impl<'de> DeserializeAs<'de, $value> for $name {
            fn deserialize_as<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<$value, D::Error> {
                let parse: fn(&str) -> Result<$value> = $parse;
                let text = String::deserialize(deserializer)?;
                parse(&text).map_err(|error| D::Error::custom(said(&error)))
            }
        }
    };
}

by_text!(
    /// A span: `-1h30m`.
    AsSpan, Span, parse_span, format_span
);
by_text!(
    /// A rate: `200ppm`.
    AsRate, Rate, parse_rate, format_rate
);
by_text!(
    /// An instant: `2026-11-23T12:00:00Z`.
    AsInstant, NodeInstant, parse_instant, format_instant
);

/// An error of this crate as the text of one of serde's: with what to do, which has no place of its own there.
pub fn said(error: &crate::Error) -> String {
    match error.help() {
        Some(help) => format!("{}\u{1f}{help}", error.why()),
        None => error.why().to_owned(),
    }
}

/// Something that has a short form beside its table: `jump = "-5s"`.
pub trait Short: Sized {
    /// What the table is read into; [`Short`] for itself.
    fn of_text(text: &str) -> Result<Self>;

    /// The short form, if it says all.
    fn text(&self) -> Option<String>;
}

/// Reads either form of an optional value.
pub fn read<'de, D, T>(deserializer: D) -> std::result::Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Short + Deserialize<'de>,
{
    struct Either<T>(PhantomData<T>);

    impl<'de, T: Short + Deserialize<'de>> Visitor<'de> for Either<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a table")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<T, E> {
            T::of_text(text).map_err(|error| E::custom(said(&error)))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_any(Either(PhantomData)).map(Some)
}

/// Writes the short form where it says all.
pub fn write<S, T>(value: &Option<T>, serializer: S) -> std::result::Result<S::Ok, S::Error>
where
    S: Serializer,
    T: Short + Serialize,
{
    match value {
        None => serializer.serialize_none(),
        Some(value) => match value.text() {
            Some(text) => serializer.serialize_str(&text),
            None => value.serialize(serializer),
        },
    }
}
