//! What is watched, what is chosen, what is being typed, and what was said last.
//!
//! What must hold: nothing here touches the system; whatever a key asks for is a [`Deed`] that somebody else does; the
//! chosen node stays chosen while others come and go.

use falseticker::node::{NodeName, Status};
use falseticker::{Error, Result};

use super::keys::{Edit, Wish};
use super::past::Past;
use super::prompt::{Deed, Prompt};

/// A node, as it was seen last.
#[derive(Debug)]
pub struct Watched {
    pub name: NodeName,
    pub seen: Seen,
    pub past: Past,
}

/// What was seen of a node.
#[derive(Debug)]
pub enum Seen {
    /// This.
    There(Box<Status>),
    /// There is none of that name now.
    Gone,
    /// It cannot be looked at.
    Damaged(Error),
}

/// What was said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// What was done.
    Done(String),
    /// Why something could not be.
    Failed(String),
}

/// What a key leads to outside.
#[derive(Debug)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// Something is to be done to nodes.
    Do(Deed),
    /// The watch is over.
    Quit,
    /// As a signal would end it.
    Interrupt,
    /// The shell wants the terminal back.
    Stop,
}

/// All that is shown.
#[derive(Debug, Default)]
pub struct Model {
    nodes: Vec<Watched>,
    chosen: usize,
    /// How many lines of the details are scrolled by.
    pub scrolled: u16,
    pub prompt: Option<Prompt>,
    pub said: Option<Said>,
    pub help: bool,
}

impl Model {
    /// The nodes, in the order of their names.
    pub fn nodes(&self) -> &[Watched] {
        &self.nodes
    }

    /// Takes in what was seen; one that is known keeps its past.
    pub fn take_in(&mut self, all: Vec<(NodeName, Seen)>) {
        let chosen = self.chosen_node().map(|node| node.name.clone());
        let mut known = std::mem::take(&mut self.nodes);
        for (name, seen) in all {
            let of_name = known.iter().position(|node| node.name == name);
            let mut past = of_name.map(|index| known.swap_remove(index).past).unwrap_or_default();
            if let Seen::There(status) = &seen {
                past.push(status.now_ns, status.clocks.wall.offset_ns);
            }
            self.nodes.push(Watched { name, seen, past });
        }
        let again = self.nodes.iter().position(|node| Some(&node.name) == chosen.as_ref());
        self.choose(again.unwrap_or(self.chosen));
    }

    /// The chosen one's place among the nodes.
    pub fn chosen(&self) -> usize {
        self.chosen
    }

    /// The chosen one, if there are any.
    pub fn chosen_node(&self) -> Option<&Watched> {
        self.nodes.get(self.chosen)
    }

    fn choose(&mut self, index: usize) {
        let before = self.chosen;
        self.chosen = index.min(self.nodes.len().saturating_sub(1));
        if before != self.chosen {
            self.scrolled = 0;
        }
    }

    /// Says what came of a deed: all of it, and it has failed if any of it has.
    pub fn tell(&mut self, done: &[Result<String>]) {
        let line = |one: &Result<String>| one.as_ref().map_or_else(Error::to_string, String::clone);
        let lines = done.iter().map(line).collect::<Vec<_>>().join("\n");
        self.said =
            Some(if done.iter().all(Result::is_ok) { Said::Done(lines) } else { Said::Failed(lines) });
    }

    /// Does what a key asks for, so far as it is done here.
    pub fn follow(&mut self, wish: Wish) -> Then {
        let help = std::mem::take(&mut self.help);
        match wish {
            Wish::Quit if help => {}
            Wish::Quit => return Then::Quit,
            Wish::Interrupt => return Then::Interrupt,
            Wish::Stop => return Then::Stop,
            Wish::Help => self.help = !help,
            Wish::Up => self.choose(self.chosen.saturating_sub(1)),
            Wish::Down => self.choose(self.chosen.saturating_add(1)),
            Wish::First => self.choose(0),
            Wish::Last => self.choose(usize::MAX),
            Wish::PageUp => self.scrolled = self.scrolled.saturating_sub(5),
            Wish::PageDown => self.scrolled = self.scrolled.saturating_add(5),
            Wish::Ask(what) => {
                let names = self.nodes.iter().map(|node| node.name.clone());
                match Prompt::new(what, self.chosen_node().map(|node| &node.name), names.collect()) {
                    Some(prompt) => (self.prompt, self.said) = (Some(prompt), None),
                    None => return self.refuse(),
                }
            }
            Wish::Thaw | Wish::Heal => {
                let Some(node) = self.chosen_node() else { return self.refuse() };
                let name = node.name.clone();
                return Then::Do(if wish == Wish::Thaw { Deed::Thaw(name) } else { Deed::Heal(vec![name]) });
            }
            Wish::Edit(edit) => return self.edit(edit),
        }
        Then::Nothing
    }

    fn refuse(&mut self) -> Then {
        self.said = Some(Said::Failed("there is no node".to_owned()));
        Then::Nothing
    }

    fn edit(&mut self, edit: Edit) -> Then {
        let Some(prompt) = &mut self.prompt else { return Then::Nothing };
        match edit {
            Edit::Leave => self.prompt = None,
            Edit::Enter => match prompt.deed() {
                Ok(deed) => {
                    self.prompt = None;
                    return deed.map_or(Then::Nothing, Then::Do);
                }
                // What was typed stays, to be put right.
                Err(why) => self.tell(&[Err(why)]),
            },
            Edit::Put(_) | Edit::Back | Edit::Clear => {
                self.said = None;
                prompt.edit(edit);
            }
        }
        Then::Nothing
    }
}

#[cfg(test)]
pub mod tests;
