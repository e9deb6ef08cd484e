//! Which threads are meant: a number, or a pattern of their names.

use std::str::FromStr;

use glob::Pattern;

use crate::Error;

/// Names threads: by number, or by a pattern of their names (`*`, `?`, `[a-z]`). The kernel keeps 15 bytes of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadPattern(Which);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    Number(i32),
    Name(Pattern),
}

impl ThreadPattern {
    /// Whether a thread of this number and name is meant.
    pub fn matches(&self, tid: i32, name: &str) -> bool {
        match &self.0 {
            Which::Number(number) => *number == tid,
            Which::Name(pattern) => pattern.matches(name),
        }
    }
}

impl FromStr for ThreadPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = |why: String| {
            Error::bad_input(format!("read {text:?} as a thread or a pattern of names"), why)
                .remedy("write a thread's number, or its name with * and ?, as ps -L shows them")
        };
        if text.is_empty() {
            return Err(refused("it is empty".to_owned()));
        }
        if let Ok(number) = text.parse::<i64>() {
            return match i32::try_from(number) {
                Ok(number) if number > 0 => Ok(ThreadPattern(Which::Number(number))),
                _ => Err(refused("no thread has such a number".to_owned())),
            };
        }
        match Pattern::new(text) {
            Ok(pattern) => Ok(ThreadPattern(Which::Name(pattern))),
            Err(why) => Err(refused(format!("{} at character {}", why.msg, why.pos + 1))),
        }
    }
}

impl std::fmt::Display for ThreadPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Which::Number(number) => number.fmt(f),
            Which::Name(pattern) => f.write_str(pattern.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> ThreadPattern {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_and_names() {
        assert!(pattern("12").matches(12, "x") && !pattern("12").matches(13, "12"));
        assert!(pattern("G1 Conc#*").matches(1, "G1 Conc#0") && !pattern("G1*").matches(1, "g1"));
        assert!(pattern("worker-?").matches(1, "worker-7") && !pattern("worker-?").matches(1, "worker-17"));
        assert!(pattern("*").matches(1, ""));
        assert_eq!(pattern("a*").to_string(), "a*");
    }

    #[test]
    fn what_names_no_thread_is_refused_with_its_place() {
        for text in ["", "0", "-3", "99999999999", "a[b", "a**b"] {
            let error = text.parse::<ThreadPattern>().unwrap_err();
            assert!(error.help().is_some(), "{text}");
        }
        assert!("a[b".parse::<ThreadPattern>().unwrap_err().why().contains("at character 2"));
    }
}
