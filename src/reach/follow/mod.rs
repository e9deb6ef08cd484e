//! Following a node's processes through their execs, so that each new program is reached before its first instruction.
//!
//! The first process puts a filter on itself ([`filter`]), whose listener is told of each exec below it ([`notice`]). A thread of
//! its own sees to each ([`one`]): it traces the process for the moment of that exec, reaches the new program or leaves it to the
//! shim, and lets go. Nothing is traced in between.
//!
//! What must hold:
//! 1. The listener is open in two processes, the keeper and `run`; when the one that follows dies the other goes on. With
//!    nobody left every exec would fail with ENOSYS.
//! 2. An exec that cannot be followed goes on, and its program is an escape, which `status` lists; but the node's first
//!    program does not run, and with [`Charge::strict`] none does.
//! 3. Whoever follows waits for no child but by a thread that traces: see [`super::trace`].

pub(crate) mod by_ptrace;
mod collected;
mod filter;
mod notice;
mod one;
mod told;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub(crate) use collected::Collected;
pub(crate) use filter::{NotInstalled, install};
pub(crate) use told::Told;

use super::means::Wanted;
use crate::Result;
use crate::node::Node;
use crate::process::ProcessId;

/// How programs are followed.
pub(crate) struct Charge {
    /// The node that they are to be in.
    pub node: Node,
    /// By which means those are reached that the shim could get into.
    pub wanted: Wanted,
    /// The node's first process, which does not run if it cannot be reached.
    pub root: i32,
    /// Whether that is so of every other, too.
    pub strict: bool,
    /// Whether it was.
    pub root_is_reached: AtomicBool,
    /// Where it is said why one did not run.
    pub told: Told,
    /// What is collected of the children of those who do not follow.
    pub collected: Arc<Collected>,
}

impl Charge {
    /// For what runs already, and is only to be followed.
    pub(crate) fn of_running(node: Node, root: i32) -> Result<Charge> {
        let root_is_reached = AtomicBool::new(true);
        let (told, collected) = (Told::new()?, Arc::new(Collected::new()?));
        Ok(Charge { node, wanted: Wanted::Auto, root, strict: false, root_is_reached, told, collected })
    }
}

/// Follows until nobody is left who could execute anything.
pub(crate) fn follow(listener: &OwnedFd, charge: &Charge) {
    std::thread::scope(|scope| {
        while let Some(notice) = notice::next(listener.as_fd()) {
            let see_to_it = move || {
                // Looks at whoever is about to stop lie close together, and are the exec's time.
                let _ = nix::sys::prctl::set_timerslack(1);
                one::follow(notice, listener.as_fd(), charge);
            };
            let started =
                std::thread::Builder::new().name("ft-follow".to_owned()).spawn_scoped(scope, see_to_it);
            if started.is_err() {
                // No thread is to be had: then this one, which may not wait for long, lets it go on.
                notice.go_on(listener.as_fd());
            }
        }
    });
}

/// Lets threads go on whose notice died with the one who had received it: interrupted, they begin their call again.
pub(crate) fn call_again(root: ProcessId) {
    one::call_again(root);
}
