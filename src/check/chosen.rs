//! A rule with what is written after its name: `progress=10/1s`, or `progress = "10/1s"` in a scenario's `[checks]`.
//!
//! What must hold: what is written reads back the same; a text that the command line refuses a scenario refuses with the same words.

use std::fmt;
use std::str::FromStr;

use super::{RULES, Rule, With};
use crate::Span;
use crate::error::{Error, Result};
use crate::units::{format_span, parse_span};

/// What is written after a rule's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A span.
    Span,
    /// A span, or nothing.
    MaybeSpan,
    /// A number of operations and a span: `10/1s`.
    CountPerSpan,
}

impl Needs {
    /// How it is shown in `--help`.
    pub fn shown(self) -> &'static str {
        match self {
            Needs::Nothing => "",
            Needs::Span => "=SPAN",
            Needs::MaybeSpan => "[=SPAN]",
            Needs::CountPerSpan => "=N/SPAN",
        }
    }
}

/// A rule that a history is judged by.
#[derive(Clone)]
pub struct Chosen {
    rule: &'static dyn Rule,
    with: With,
}

impl Chosen {
    /// By its name, and what is written after it.
    pub fn new(name: &str, argument: Option<&str>) -> Result<Chosen> {
        let whole = argument.map_or_else(|| name.to_owned(), |argument| format!("{name}={argument}"));
        let refused = |why: &str, remedy: String| {
            Error::bad_input(format_args!("use the rule '{whole}'"), why).remedy(remedy)
        };
        let Some(rule) = RULES.iter().copied().find(|rule| rule.name() == name) else {
            let names: Vec<&str> = RULES.iter().map(|rule| rule.name()).collect();
            return Err(refused("there is none of that name", format!("write one of {}", names.join(", "))));
        };
        let needs = rule.needs();
        let remedy = || format!("write {name}{}", needs.shown());
        let with = match (needs, argument) {
            (Needs::Nothing | Needs::MaybeSpan, None) => With::default(),
            (Needs::Nothing, Some(_)) => return Err(refused("nothing is written after its name", remedy())),
            (Needs::Span | Needs::CountPerSpan, None) => {
                return Err(refused("it does not say how long", remedy()));
            }
            (Needs::Span | Needs::MaybeSpan, Some(text)) => {
                With { span: Some(positive(text).map_err(|why| refused(&why, remedy()))?), count: None }
            }
            (Needs::CountPerSpan, Some(text)) => {
                let (count, span) =
                    text.split_once('/').ok_or_else(|| refused("it is no number and a span", remedy()))?;
                let count = count.trim().parse().ok().filter(|count| *count > 0);
                let count = count.ok_or_else(|| refused("its number is none of 1 or more", remedy()))?;
                let span = positive(span.trim()).map_err(|why| refused(&why, remedy()))?;
                With { span: Some(span), count: Some(count) }
            }
        };
        Ok(Chosen { rule, with })
    }

    /// The rule.
    pub fn rule(&self) -> &'static dyn Rule {
        self.rule
    }

    /// What was written after its name.
    pub fn with(&self) -> With {
        self.with
    }

    /// The same as text; `None` if nothing was.
    pub fn argument(&self) -> Option<String> {
        let span = format_span(self.with.span?);
        Some(self.with.count.map_or_else(|| span.clone(), |count| format!("{count}/{span}")))
    }
}

fn positive(text: &str) -> std::result::Result<Span, String> {
    let span = parse_span(text).map_err(|error| error.why().to_owned())?;
    if span > Span::ZERO { Ok(span) } else { Err("it is not longer than nothing".to_owned()) }
}

impl FromStr for Chosen {
    type Err = Error;

    fn from_str(text: &str) -> Result<Chosen> {
        match text.split_once('=') {
            Some((name, argument)) => Chosen::new(name, Some(argument)),
            None => Chosen::new(text, None),
        }
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule.name())?;
        self.argument().map_or(Ok(()), |argument| write!(f, "={argument}"))
    }
}

impl fmt::Debug for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl PartialEq for Chosen {
    fn eq(&self, other: &Self) -> bool {
        self.rule.name() == other.rule.name() && self.with == other.with
    }
}

impl Eq for Chosen {}
