//! `--on-connect PORT`: a process of the node calls connect() to it.
//!
//! What must hold: the caller is held until the trigger is dropped, which its owner does once the fault is in force, and for a
//! second at most; then it connects, under the fault.

use std::os::fd::{AsFd, BorrowedFd};

use super::{Fired, Trigger};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::trap::{Armed, Hold, On, Pick, Plan};
use crate::{HostInstant, Span, host_clock};

/// A connection that is to be made.
#[derive(Debug)]
pub struct OnConnect {
    port: u16,
    armed: Armed,
    node: Node,
    /// When it is next looked whether anybody is left who could connect.
    due: HostInstant,
}

/// How often that is looked.
const EVERY: Span = Span::from_secs(1);

impl OnConnect {
    /// From now on.
    pub fn prepare(node: &Node, port: u16) -> Result<Self> {
        let plan = Plan { on: On::Connect(port), pick: Pick::Nth(1), count: 1, hold: Hold::Briefly };
        let due = host_clock::monotonic().saturating_add(EVERY);
        Ok(OnConnect { port, armed: node.trap(&plan)?, node: Node::of_dir(node.dir().clone())?, due })
    }

    fn in_vain(&self, why: &str) -> Error {
        Error::not_applied(format!("wait for {}", self.awaited()), why)
    }

    fn is_anybody_left(&self) -> bool {
        match self.node.members() {
            Ok(members) => members.into_iter().any(|id| id.is_alive()),
            Err(_) => self.node.dir().path().exists(),
        }
    }
}

impl Trigger for OnConnect {
    fn awaited(&self) -> String {
        format!("a connection to port {}", self.port)
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.armed.as_fd()]
    }

    fn due(&self) -> Option<HostInstant> {
        Some(self.due)
    }

    fn look(&mut self) -> Result<Option<Fired>> {
        self.armed.listen();
        if let Some(firing) = self.armed.fired().into_iter().next() {
            let on = format!("port {} by process {}", self.port, firing.pid);
            return Ok(Some(Fired::new("connect", on, firing.at)));
        }
        if self.armed.is_spent() {
            return Err(self.in_vain("another command has ended it"));
        }
        let now = host_clock::monotonic();
        if now >= self.due {
            self.due = now.saturating_add(EVERY);
            if !self.is_anybody_left() {
                return Err(self.in_vain("the node's processes have ended"));
            }
        }
        Ok(None)
    }
}
