//! The name of a node.
//!
//! What must hold: a name is a single component of a path, is never taken for an option or for one of the words
//! with which scenarios select nodes, and needs no quoting in any shell.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, Result};

/// The words that select nodes in scenarios.
const RESERVED: [&str; 4] = ["one", "minority", "majority", "all"];

/// The longest name, in bytes.
const MAX: usize = 64;

/// A name that a node may have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct NodeName(String);

impl NodeName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let refuse = |why: String| {
            Err(Error::bad_input(format!("use {name:?} as the name of a node"), why).remedy(format!(
                "take 1 to {MAX} letters, digits, underscores, dots and dashes, beginning with none of the last two"
            )))
        };
        let foreign = name.chars().find(|c| !c.is_ascii_alphanumeric() && !"_.-".contains(*c));
        if name.is_empty() {
            refuse("it is empty".to_owned())
        } else if let Some(foreign) = foreign {
            refuse(format!("it has {foreign:?} in it"))
        } else if name.len() > MAX {
            refuse(format!("it is {} bytes long", name.len()))
        } else if name.starts_with(['.', '-']) {
            refuse(format!("it begins with {:?}", &name[..1]))
        } else if RESERVED.contains(&name) {
            refuse("that word selects nodes in scenarios".to_owned())
        } else {
            Ok(NodeName(name.to_owned()))
        }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use proptest::prelude::*;

    #[test]
    fn names_are_single_plain_words() {
        let long = "x".repeat(64);
        for good in ["a", "db-1", "A_b.c", "0", "ones", long.as_str()] {
            assert_eq!(good.parse::<NodeName>().unwrap().as_str(), good);
        }
        let longer = "x".repeat(65);
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "-a",
            "a/b",
            "/",
            "a b",
            "a\n",
            "é",
            "a\0",
            "one",
            "all",
            "minority",
            "majority",
            longer.as_str(),
        ] {
            let err = bad.parse::<NodeName>().unwrap_err();
            assert_eq!(err.kind(), ErrorKind::BadInput, "{bad:?}");
            assert!(err.help().is_some());
        }
    }

    proptest! {
        #[test]
        fn a_name_is_one_component_of_a_path(text in any::<String>()) {
            if let Ok(name) = text.parse::<NodeName>() {
                let joined = std::path::Path::new("/base").join(name.as_str());
                prop_assert_eq!(joined.parent(), Some(std::path::Path::new("/base")));
            }
        }
    }
}
