//! What is asked when a key needs more than itself, and what comes of the answer.

use falseticker::freeze::shape::Length;
use falseticker::node::NodeName;
use falseticker::{Rate, Result, Span};

use super::keys::Edit;
use crate::cli::table::count;
use crate::cli::values;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Jump,
    Drift,
    Freeze,
    HealAll,
}

/// What is to be done to nodes.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    Jump(NodeName, Span),
    Drift(NodeName, Rate),
    /// For a length, or until somebody thaws it.
    Freeze(NodeName, Option<Length>),
    Thaw(NodeName),
    Heal(Vec<NodeName>),
}

/// A question and the answer so far. Whom it is about was settled when it was asked, whatever is chosen since.
#[derive(Clone, Debug)]
pub struct Prompt {
    what: What,
    nodes: Vec<NodeName>,
    text: String,
}

impl Prompt {
    /// A question about the chosen node, or about all; `None` if there is none.
    pub fn new(what: What, chosen: Option<&NodeName>, all: Vec<NodeName>) -> Option<Prompt> {
        let nodes = if what == What::HealAll { all } else { chosen.into_iter().cloned().collect() };
        (!nodes.is_empty()).then(|| Prompt { what, nodes, text: String::new() })
    }

    /// The question, before what is typed.
    pub fn question(&self) -> String {
        let node = self.nodes.first().map(NodeName::as_str).unwrap_or_default();
        match self.what {
            What::Jump => format!("jump {node} by: "),
            What::Drift => format!("drift {node} at: "),
            What::Freeze => format!("freeze {node} for: "),
            What::HealAll => format!("heal {}? ", count(self.nodes.len(), "node", "nodes")),
        }
    }

    /// What can be answered.
    pub fn hint(&self) -> &'static str {
        match self.what {
            What::Jump => "a span: -1h30m, +250ms",
            What::Drift => "a rate: 200ppm, -5%, 2x",
            What::Freeze => "a length: 5s, uniform(1s,3s); nothing: until thawed",
            What::HealAll => "y or n",
        }
    }

    /// What is typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Types on.
    pub fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::Put(letter) => self.text.push(letter),
            Edit::Back => drop(self.text.pop()),
            Edit::Clear => self.text.clear(),
            Edit::Enter | Edit::Leave => {}
        }
    }

    /// What the answer asks for; `None` if it is no.
    pub fn deed(&self) -> Result<Option<Deed>> {
        let text = self.text.trim();
        let Some(node) = self.nodes.first().cloned() else { return Ok(None) };
        Ok(Some(match self.what {
            What::Jump => Deed::Jump(node, values::span(text)?),
            What::Drift => Deed::Drift(node, values::rate(text)?),
            What::Freeze if text.is_empty() => Deed::Freeze(node, None),
            What::Freeze => Deed::Freeze(node, Some(text.parse()?)),
            What::HealAll if matches!(text, "y" | "Y" | "yes") => Deed::Heal(self.nodes.clone()),
            What::HealAll => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NodeName {
        text.parse().unwrap()
    }

    fn answered(what: What, text: &str) -> Result<Option<Deed>> {
        let mut prompt = Prompt::new(what, Some(&name("b")), vec![name("a"), name("b")]).unwrap();
        text.chars().for_each(|letter| prompt.edit(Edit::Put(letter)));
        prompt.deed()
    }

    #[test]
    fn answers_are_what_the_command_line_takes() {
        let jump = Deed::Jump(name("b"), Span::from_secs(-5_400));
        assert_eq!(answered(What::Jump, "-1h30m").unwrap(), Some(jump));
        let drift = Deed::Drift(name("b"), Rate::from_ppm(200.0).unwrap());
        assert_eq!(answered(What::Drift, " 200ppm ").unwrap(), Some(drift));
        let freeze = |length| Some(Deed::Freeze(name("b"), length));
        assert_eq!(answered(What::Freeze, "").unwrap(), freeze(None));
        assert_eq!(answered(What::Freeze, "5s").unwrap(), freeze(Some("5s".parse().unwrap())));
        assert!(matches!(answered(What::Freeze, "uniform(1s,2s)"), Ok(Some(Deed::Freeze(_, Some(_))))));
    }

    #[test]
    fn what_cannot_be_read_says_what_to_write() {
        for (what, text) in [
            (What::Jump, ""),
            (What::Jump, "100"),
            (What::Drift, "200"),
            (What::Freeze, "-1s"),
            (What::Freeze, "5"),
        ] {
            let why = answered(what, text).unwrap_err();
            assert!(why.help().is_some(), "{what:?} {text:?}: {why}");
        }
    }

    #[test]
    fn all_are_healed_after_a_yes_alone() {
        assert_eq!(answered(What::HealAll, "y").unwrap(), Some(Deed::Heal(vec![name("a"), name("b")])));
        for no in ["", "n", "x"] {
            assert_eq!(answered(What::HealAll, no).unwrap(), None);
        }
    }

    #[test]
    fn what_is_typed_can_be_put_right() {
        let mut prompt = Prompt::new(What::Jump, Some(&name("a")), Vec::new()).unwrap();
        for edit in [Edit::Put('x'), Edit::Clear, Edit::Put('1'), Edit::Put('m'), Edit::Back, Edit::Put('s')]
        {
            prompt.edit(edit);
        }
        assert_eq!((prompt.question().as_str(), prompt.text()), ("jump a by: ", "1s"));
        assert!(Prompt::new(What::Jump, None, Vec::new()).is_none());
    }
}
