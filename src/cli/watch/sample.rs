//! Looks at nodes, again and again, as `status` does.
//!
//! What must hold: it takes a tenth of a processor at most, however long a look takes: programs that are watched are not
//! to be slowed down by it.

use falseticker::node::{self, NodeDir, NodeName};
use falseticker::{HostInstant, Node, Result, Span, host_clock};

use super::model::Seen;

/// How often, unless a look takes long.
const PERIOD: Span = Span::from_millis(250);

/// A look may take one part in so many.
const SHARE: i64 = 10;

/// Whoever looks.
#[derive(Debug)]
pub struct Sampler {
    /// These alone; otherwise all that there are.
    names: Vec<NodeName>,
    /// When the next look is due.
    pub due: HostInstant,
}

impl Sampler {
    /// Looks at these nodes, or at all.
    pub fn new(names: &[NodeName]) -> Self {
        let mut names = names.to_vec();
        names.sort();
        names.dedup();
        Sampler { names, due: HostInstant::from_nanos(0) }
    }

    /// Looks now. It is an error if it cannot be told what nodes there are.
    pub fn look(&mut self) -> Result<Vec<(NodeName, Seen)>> {
        let began = host_clock::monotonic();
        let mut dirs = Node::all()?;
        dirs.retain(|dir| self.names.is_empty() || self.names.contains(dir.name()));
        let mut seen: Vec<(NodeName, Seen)> =
            dirs.iter().filter_map(|dir| Some((dir.name().clone(), see(dir)?))).collect();
        for name in &self.names {
            if !seen.iter().any(|(there, _)| there == name) {
                seen.push((name.clone(), Seen::Gone));
            }
        }
        seen.sort_by(|(a, _), (b, _)| a.cmp(b));
        let ended = host_clock::monotonic();
        let took = ended.saturating_since(began).as_nanos();
        let rest = Span::from_nanos(took.saturating_mul(SHARE - 1));
        self.due = began.saturating_add(PERIOD).max(ended.saturating_add(rest));
        Ok(seen)
    }
}

/// A node; `None` if it went while it was looked at.
fn see(dir: &NodeDir) -> Option<Seen> {
    match Node::of_dir(dir.clone()).and_then(|node| node::status(&node)) {
        Ok(status) => Some(Seen::There(Box::new(status))),
        Err(_) if !dir.path().exists() => None,
        Err(why) => Some(Seen::Damaged(why)),
    }
}
