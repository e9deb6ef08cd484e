//! What is wrong with a scenario, and where: a place in the model, which a file turns into a line, a column and a span that
//! is underlined.
//!
//! What must hold: file and builder are refused by the same checks; a place that the file does not spell out is shown by
//! the nearest one around it.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::error::Error;

/// A step into a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a table.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// A place in a scenario, from the top down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(pub Vec<Step>);

impl Place {
    /// A table of the file.
    pub fn of(key: &str) -> Place {
        Place::default().key(key)
    }

    /// Further in.
    #[must_use]
    pub fn key(mut self, key: &str) -> Place {
        self.0.push(Step::Key(key.to_owned()));
        self
    }

    /// Further in.
    #[must_use]
    pub fn index(mut self, index: usize) -> Place {
        self.0.push(Step::Index(index));
        self
    }

    /// An entry of the timeline.
    pub fn entry(index: usize) -> Place {
        Place::of("timeline").index(index)
    }
}

/// "timeline entry 3, node".
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = self.0.iter().peekable();
        let mut first = true;
        while let Some(step) = steps.next() {
            if !std::mem::take(&mut first) {
                f.write_str(", ")?;
            }
            match (step, steps.peek()) {
                (Step::Key(key), Some(Step::Index(index))) if key == "timeline" => {
                    steps.next();
                    write!(f, "timeline entry {}", index + 1)?;
                }
                (Step::Key(key), _) => f.write_str(key)?,
                (Step::Index(index), _) => write!(f, "number {}", index + 1)?,
            }
        }
        Ok(())
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What.
    pub why: String,
    /// What to do.
    pub remedy: Option<String>,
}

impl Problem {
    /// At a place.
    pub fn new(place: Place, why: impl fmt::Display) -> Problem {
        Problem { place, why: why.to_string(), remedy: None }
    }

    /// The same with what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl fmt::Display) -> Problem {
        self.remedy = Some(remedy.to_string());
        self
    }

    /// What the library refused, at a place.
    pub fn of(place: Place, error: &Error) -> Problem {
        let problem = Problem::new(place, format_args!("cannot {}: {}", error.attempted(), error.why()));
        match error.help() {
            Some(help) => problem.remedy(help),
            None => problem,
        }
    }

    /// As an error of a scenario that comes from no file.
    pub fn into_error(self, name: &str) -> Error {
        let error = Error::bad_input(
            format_args!("use scenario '{name}'"),
            format_args!("{}: {}", self.place, self.why),
        );
        match self.remedy {
            Some(remedy) => error.remedy(remedy),
            None => error,
        }
    }
}

/// An error of a file: line, column, and the span underlined.
pub fn in_file(path: &str, text: &str, span: Range<usize>, why: &str, remedy: Option<&str>) -> Error {
    let (line, column) = position(text, span.start);
    let span = visible(text, span);
    // What is wrong is said before, and may have several lines.
    let report = [Level::ERROR
        .primary_title("here")
        .element(Snippet::source(text).path(path).annotation(AnnotationKind::Primary.span(span)))];
    let drawn = Renderer::plain().render(&report).to_string();
    let drawn: Vec<&str> = drawn.lines().skip(1).collect();
    let why = format!("line {line}, column {column}: {why}\n{}", drawn.join("\n"));
    let error = Error::bad_input(format_args!("read scenario {path}"), why);
    match remedy {
        Some(remedy) => error.remedy(remedy),
        None => error,
    }
}

/// Line and column, from one, counted in characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let at = floor(text, at);
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// At least one character, and none of another line.
fn visible(text: &str, span: Range<usize>) -> Range<usize> {
    let start = floor(text, span.start);
    let rest = text.get(start..).unwrap_or_default();
    let first_line = rest.find('\n').unwrap_or(rest.len());
    let end = floor(text, span.end.max(start)).min(start + first_line);
    if end > start {
        start..end
    } else {
        start..start + rest.chars().next().map_or(0, char::len_utf8).min(first_line)
    }
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_line_and_column_and_underlines() {
        let text = "a = 1\nbad = \"x\"\n";
        let error = in_file("f.toml", text, 6..9, "it is bad", Some("make it good"));
        let shown = error.to_string();
        assert!(shown.contains("line 2, column 1: it is bad"), "{shown}");
        assert!(shown.contains("bad = \"x\"") && shown.contains("^^^"), "{shown}");
        assert!(shown.ends_with("help: make it good"), "{shown}");
    }

    #[test]
    fn any_span_of_any_text_can_be_shown() {
        for text in ["", "\n", "ä", "a\nü\n\n"] {
            for start in 0..8 {
                for end in 0..8 {
                    in_file("f", text, start..end, "why", None);
                }
            }
        }
    }

    #[test]
    fn a_place_reads_well() {
        assert_eq!(Place::entry(2).key("node").to_string(), "timeline entry 3, node");
        assert_eq!(
            Place::of("nodes").key("a").key("needs").index(1).to_string(),
            "nodes, a, needs, number 2"
        );
    }
}
