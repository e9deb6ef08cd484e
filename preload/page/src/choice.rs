//! Which programs of a node get its false clock: the file `choice` in the node's directory, fixed when the node is made.
//!
//! A line says the rule, then come names, each ended by a NUL; no file, or an empty one, chooses every program. A name
//! without a slash is compared with the last part of a program's path, one with a slash with all of it. The controller writes
//! it; the shim reads it at load, and stays passive in a program that is left out.
//!
//! What must hold: any bytes are a choice or `None`, in time that is linear in their number for each path; what was encoded
//! parses as the same.

/// No choice is longer.
pub const CHOICE_SIZE: usize = 4096;

const ONLY: &[u8] = b"falseticker choice 1: only\n";
const SKIP: &[u8] = b"falseticker choice 1: skip\n";

/// What names in a choice mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// These programs and no others.
    Only,
    /// All but these.
    Skip,
}

impl Rule {
    const fn line(self) -> &'static [u8] {
        match self {
            Rule::Only => ONLY,
            Rule::Skip => SKIP,
        }
    }
}

/// A choice among programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    rule: Rule,
    /// Names, each ended by a NUL.
    names: &'a [u8],
}

impl<'a> Choice<'a> {
    /// Every program.
    pub const ALL: Choice<'static> = Choice { rule: Rule::Skip, names: &[] };

    /// The choice that these bytes are; `None` if they are none.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Choice::ALL);
        }
        let (rule, names) = match (bytes.strip_prefix(ONLY), bytes.strip_prefix(SKIP)) {
            (Some(names), _) => (Rule::Only, names),
            (_, Some(names)) => (Rule::Skip, names),
            (None, None) => return None,
        };
        let is_whole = bytes.len() <= CHOICE_SIZE && names.last() == Some(&0);
        (is_whole && names_in(names).all(is_name)).then_some(Choice { rule, names })
    }

    /// What its names mean.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Its names.
    pub fn names(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        names_in(self.names)
    }

    /// Whether a program of this path gets the false clock.
    pub fn selects(&self, path: &[u8]) -> bool {
        self.selects_any(&[path])
    }

    /// The same of a program that has several: that by which it was executed, and that of the file which runs in the end. It is
    /// named if any of them is.
    pub fn selects_any(&self, paths: &[&[u8]]) -> bool {
        let is_named = self.names().any(|name| paths.iter().any(|path| names_path(name, path)));
        is_named == (self.rule == Rule::Only)
    }
}

/// The bytes of a choice; `None` if one of the names is none, there is no name, or all are too long.
pub fn encode<'a>(rule: Rule, names: &'a [&'a [u8]]) -> Option<impl Iterator<Item = u8> + use<'a>> {
    let length = names.iter().fold(rule.line().len(), |sum, name| sum.saturating_add(name.len() + 1));
    let is_whole = !names.is_empty() && length <= CHOICE_SIZE && names.iter().all(|name| is_name(name));
    let text = names.iter().flat_map(|name| name.iter().copied().chain([0]));
    is_whole.then(|| rule.line().iter().copied().chain(text))
}

/// Whether this can name a program: the last part of a path, or a whole path.
pub fn is_name(name: &[u8]) -> bool {
    let is_last_part = !name.contains(&b'/');
    let is_path = name.first() == Some(&b'/') && name.last() != Some(&b'/');
    !name.is_empty() && !name.contains(&0) && (is_last_part || is_path)
}

fn names_in(names: &[u8]) -> impl Iterator<Item = &[u8]> {
    names.strip_suffix(&[0]).into_iter().flat_map(|names| names.split(|byte| *byte == 0))
}

fn names_path(name: &[u8], path: &[u8]) -> bool {
    let last_part = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    name == if name.contains(&b'/') { path } else { last_part }
}
