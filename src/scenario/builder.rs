//! The same scenario in Rust.
//!
//! What must hold: what is built passes the checks that a file passes, and is the same model.

use super::Port;
use super::action::Action;
use super::check::check;
use super::model::{After, Entry, Head, Program, Ready, Scenario, When, Who};
use crate::Span;
use crate::check::Chosen;
use crate::error::Result;
use crate::nemesis::Nemesis;

/// Builds a [`Scenario`]; see [`Scenario::builder`].
#[derive(Clone, Debug, Default)]
pub struct Builder(Scenario);

impl Scenario {
    /// Begins one.
    ///
    /// ```
    /// use falseticker::Span;
    /// use falseticker::scenario::action::{Action, Jump};
    /// use falseticker::scenario::{Program, Scenario};
    ///
    /// # fn main() -> falseticker::Result<()> {
    /// let jump = Jump { by: Span::from_secs(-5), ..Jump::default() };
    /// let scenario = Scenario::builder("a step back", Span::from_secs(3))
    ///     .node("a", Program::new(["date", "-f", "-"]).ready_at_port(7001))
    ///     .at(Span::from_secs(1), "a", Action::Jump(jump))
    ///     .build()?;
    /// assert_eq!(scenario.timeline.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(name: &str, duration: Span) -> Builder {
        Builder(Scenario {
            head: Head { name: name.to_owned(), duration, ..Head::default() },
            ..Scenario::default()
        })
    }
}

impl Builder {
    /// From which everything is drawn.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.head.seed = Some(seed);
        self
    }

    /// How long the programs run after the heal.
    #[must_use]
    pub fn recovery(mut self, recovery: Span) -> Self {
        self.0.head.recovery = recovery;
        self
    }

    /// Ports that are drawn for each play: `{name.port}` in a program's words; see [`Head::ports`].
    #[must_use]
    pub fn ports<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.0.head.ports = names.into_iter().map(Into::into).collect();
        self
    }

    /// A node and its program.
    #[must_use]
    pub fn node(mut self, name: &str, program: Program) -> Self {
        self.0.nodes.insert(name.to_owned(), program);
        self
    }

    /// A generator of faults.
    #[must_use]
    pub fn nemesis(mut self, nemesis: Nemesis) -> Self {
        self.0.nemesis = Some(nemesis);
        self
    }

    /// A rule by which its history is judged in the end: `"progress=10/1s".parse()?`.
    #[must_use]
    pub fn check(mut self, rule: Chosen) -> Self {
        self.0.checks.push(rule);
        self
    }

    /// Something done to a node (or to `one`, `minority`, `majority`, `all`) at an instant.
    #[must_use]
    pub fn at(self, at: Span, node: &str, action: Action) -> Self {
        let who = (!matches!(action, Action::Run(_))).then(|| Who::One(node.to_owned()));
        self.entry(Entry { when: When::At(at), who, action, optional: false })
    }

    /// Something done to a node when something has happened.
    #[must_use]
    pub fn after(self, after: After, node: &str, action: Action) -> Self {
        let who = Some(Who::One(node.to_owned()));
        self.entry(Entry { when: When::After(after), who, action, optional: false })
    }

    /// Any entry.
    #[must_use]
    pub fn entry(mut self, entry: Entry) -> Self {
        self.0.timeline.push(entry);
        self
    }

    /// The scenario, checked.
    pub fn build(self) -> Result<Scenario> {
        check(&self.0).map_err(|problem| problem.into_error(&self.0.head.name))?;
        Ok(self.0)
    }
}

impl Program {
    /// A command and its arguments.
    pub fn new<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Program { command: words.into_iter().map(Into::into).collect(), ..Program::default() }
    }

    /// Ready when somebody listens to this port of 127.0.0.1: a number, or a name of [`Builder::ports`].
    #[must_use]
    pub fn ready_at_port(self, port: impl Into<Port>) -> Self {
        let ready = Ready { port: Some(port.into()), within: super::model::PATIENCE, ..Ready::default() };
        Program { ready: Some(ready), ..self }
    }

    /// Ready when a line of its output matches.
    #[must_use]
    pub fn ready_when_it_says(self, pattern: &str) -> Self {
        let output = Some(pattern.to_owned());
        let ready = Ready { output, within: super::model::PATIENCE, ..Ready::default() };
        Program { ready: Some(ready), ..self }
    }
}
