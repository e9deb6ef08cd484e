//! Whether the program has loaded the shim: it takes a row of evidence when it does.
//!
//! What must hold: a program that runs with a true clock is never taken for one that is reached. A row is of this
//! program if it bears its pid, of its own pid namespace, and was taken since it was started, whatever else the file says.

use std::sync::atomic::Ordering;

use falseticker_page::evidence::{Evidence, State};
use falseticker_page::time::HostInstant;

use crate::process::own_namespace;

/// A row that a process of the node took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// When, on the host's clock.
    pub since: HostInstant,
    /// The process's pid, as its own pid namespace has it.
    pub pid: i32,
    /// That namespace, by its inode; 0 when unknown.
    pub namespace: u64,
    /// Where its marks are.
    pub index: usize,
}

impl Row {
    /// Whether it is of the process that has this pid here.
    pub fn is_of(&self, pid: i32) -> bool {
        self.pid == pid && (self.namespace == 0 || Some(self.namespace) == own_namespace())
    }
}

/// The rows taken since an instant, by processes that live or have ended.
pub fn rows(evidence: &Evidence, from: HostInstant) -> impl Iterator<Item = Row> {
    evidence.heads.iter().enumerate().filter_map(move |(index, head)| {
        let (State::Live(pid) | State::Gone(pid)) = head.state() else { return None };
        let since = i64::try_from(head.taken_at.load(Ordering::Relaxed)).ok()?;
        let namespace = head.namespace.load(Ordering::Relaxed);
        let row =
            Row { since: HostInstant::from_nanos(since), pid: i32::try_from(pid).ok()?, namespace, index };
        (row.since >= from).then_some(row)
    })
}

/// What is known of a program's arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is reached.
    Reached,
    /// The node's choice leaves it out, so that nothing will tell of it.
    LeftOut,
    /// All rows were taken when some process came: it may have been this one.
    NoRoom,
    /// There is no sign of it.
    Unknown,
}

/// Looks for a program that was started at `from` in this process's pid namespace, when so many had found no row.
pub fn look(evidence: &Evidence, pid: i32, from: HostInstant, unseated: u64) -> Arrival {
    if rows(evidence, from).any(|row| row.is_of(pid)) {
        Arrival::Reached
    } else if evidence.header.unseated.load(Ordering::Relaxed) != unseated {
        Arrival::NoRoom
    } else {
        Arrival::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{Kind, MadeBy, Node};

    #[test]
    fn a_row_counts_if_it_is_this_programs() {
        let name = format!("arrival-{}", std::process::id());
        let kind = Kind { made_by: MadeBy::Create, monotonic: false, share: false, allow_settime: false };
        let node = Node::make(&name.parse().unwrap(), kind).unwrap();
        let at = HostInstant::from_nanos;
        let evidence = node.evidence();
        let here = own_namespace().unwrap();
        evidence.take(41, here, at(1_000), |_| false).unwrap();
        evidence.take(42, here, at(2_000), |_| false).unwrap();
        evidence.take(44, here + 1, at(2_000), |_| false).unwrap();
        assert_eq!(look(evidence, 41, at(1_000), 0), Arrival::Reached);
        assert_eq!(look(evidence, 41, at(1_001), 0), Arrival::Unknown, "an earlier process with its pid");
        assert_eq!(look(evidence, 43, at(0), 0), Arrival::Unknown);
        assert_eq!(
            look(evidence, 44, at(0), 0),
            Arrival::Unknown,
            "a container's process has that pid there"
        );
        let head = &evidence.heads[1];
        assert!(head.turn(State::Live(42), State::Gone(42)));
        assert_eq!(look(evidence, 42, at(0), 0), Arrival::Reached, "it has executed something else since");
        evidence.header.unseated.store(1, Ordering::Relaxed);
        assert_eq!(look(evidence, 43, at(0), 0), Arrival::NoRoom);
        node.remove().unwrap();
    }
}
