//! The short forms: `jump = "-5s"`, `stall = "3s"`, `heal = "step"`.
//!
//! What must hold: a short form is written exactly where it says all that the table would.

use super::{Drift, Freeze, Heal, Jump, Kill, Leap, Run, Set, Slew, Stall, Strobe, Suspend, is_wall};
use crate::scenario::text::Short;
use crate::units::{format_instant, format_rate, format_span, parse_instant, parse_rate, parse_span};
use crate::{Error, NodeInstant, Result};

macro_rules! short {
    ($name:ident, $field:ident, $parse:expr, $format:expr, $rest:expr) => {
        impl Short for $name {
            fn of_text(text: &str) -> Result<Self> {
                let blank: fn() -> $name = $rest;
                Ok($name { $field: $parse(text)?, ..blank() })
            }

            fn text(&self) -> Option<String> {
                let blank: fn() -> $name = $rest;
                let plain = $name { $field: self.$field.clone(), ..blank() };
                (*self == plain).then(|| $format(self.$field.clone()))
            }
        }
    };
}

short!(Jump, by, parse_span, format_span, Jump::default);
short!(Set, to, parse_instant, format_instant, || Set { to: NodeInstant::from_nanos(0), lasts: None });
short!(Drift, rate, parse_rate, format_rate, Drift::default);
short!(Suspend, lasts, parse_span, format_span, Suspend::default);
short!(
    Run,
    command,
    |text: &str| Ok::<String, Error>(text.to_owned()),
    |command: String| command,
    Run::default
);

/// Reads and writes a word that stands for a table: `heal = "step"`, `stall = "3s"`, `leap = "insert"`, `freeze = "4s"`.
impl Short for Stall {
    fn of_text(text: &str) -> Result<Self> {
        Ok(Stall { lasts: Some(parse_span(text)?), ..Stall::default() })
    }

    fn text(&self) -> Option<String> {
        self.lasts.filter(|_| is_wall(&self.clock)).map(format_span)
    }
}

impl Short for Freeze {
    fn of_text(text: &str) -> Result<Self> {
        Ok(Freeze { lasts: Some(text.parse()?), ..Freeze::default() })
    }

    fn text(&self) -> Option<String> {
        let plain = Freeze { lasts: self.lasts.clone(), ..Freeze::default() };
        (*self == plain).then(|| self.lasts.as_ref().map(ToString::to_string)).flatten()
    }
}

impl Short for Heal {
    fn of_text(text: &str) -> Result<Self> {
        match text {
            "step" => Ok(Heal::default()),
            _ => Err(Error::bad_input("heal", format_args!("'{text}' is no way to heal"))
                .remedy("write \"step\"; a clock is led home by hand: falseticker heal --slew")),
        }
    }

    fn text(&self) -> Option<String> {
        Some("step".to_owned())
    }
}

impl Short for Kill {
    fn of_text(text: &str) -> Result<Self> {
        match text {
            "now" => Ok(Kill::default()),
            _ => Err(Error::bad_input("kill", format_args!("'{text}' is no way to kill"))
                .remedy("write \"now\", or { restart = \"2s\" }")),
        }
    }

    fn text(&self) -> Option<String> {
        self.restart.is_none().then(|| "now".to_owned())
    }
}

impl Short for Leap {
    fn of_text(text: &str) -> Result<Self> {
        Ok(Leap { kind: text.parse()?, window: None })
    }

    fn text(&self) -> Option<String> {
        self.window.is_none().then(|| self.kind.to_string())
    }
}

/// A strobe has no short form.
impl Short for Strobe {
    fn of_text(text: &str) -> Result<Self> {
        Err(no_short("strobe", text, "{ amplitude = \"100ms\", period = \"20ms\" }"))
    }

    fn text(&self) -> Option<String> {
        None
    }
}

/// Nor has a slew.
impl Short for Slew {
    fn of_text(text: &str) -> Result<Self> {
        Err(no_short("slew", text, "{ by = \"+250ms\", rate = \"500ppm\" }"))
    }

    fn text(&self) -> Option<String> {
        None
    }
}

fn no_short(what: &str, text: &str, instead: &str) -> Error {
    Error::bad_input(what, format_args!("'{text}' does not say all of it"))
        .remedy(format_args!("write {what} = {instead}"))
}
