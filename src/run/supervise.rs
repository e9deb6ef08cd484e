//! `run` while its program runs: signals passed on, stops followed, the end awaited.
//!
//! What must hold:
//! - A stop by the terminal stops `run` too, or the shell would never get its prompt back; a freeze does not.
//! - If the keeper is killed the program is this process's child, and is waited for as such.
//! - A program that does not load the shim in time is killed, unless it was stopped meanwhile, or the node's choice leaves it out.

use std::os::fd::AsRawFd;

use falseticker_page::time::{HostInstant, Span};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpgrp};

use super::arrival::{self, Arrival};
use super::launch::{Launched, next};
use super::message::Message;
use super::outcome::{Change, Outcome};
use super::signals::{Received, Signals};
use super::wait::wait_for;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::process::{Stillness, stillness};
use crate::{host_clock, raw};

/// By when a program must have loaded the shim.
const ARRIVAL_LIMIT: Span = Span::from_secs(10);
/// How long between two looks for that.
const PACE: Span = Span::from_millis(10);
/// How long after SIGCONT it is looked whether the program goes on too.
const CONTINUED_AFTER: Span = Span::from_millis(2);
/// How long the keeper may take to tell of an end that is known; then it is taken for stopped, and resumed.
const KEEPER_LIMIT: Span = Span::from_millis(500);

/// Signals upon which the output of a program that has ended is not waited for.
const ENDING: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// How the program ended.
    pub outcome: Outcome,
    /// What is known of its clock.
    pub arrival: Arrival,
    /// Whether it was killed for not having arrived.
    pub overdue: bool,
    /// Whether the signal that ended it is one that this process was sent as well.
    pub asked_for: bool,
    /// Why it was not let run, or not let run on.
    pub stopped_for: Option<String>,
}

/// A program under supervision.
pub struct Supervisor<'a> {
    launched: Launched,
    signals: Signals,
    node: &'a Node,
    from: HostInstant,
    unseated: u64,
    /// Whether it is to load the shim.
    is_chosen: bool,
    arrival: Arrival,
    due: HostInstant,
    overdue: bool,
    received: u64,
    outcome: Option<Outcome>,
    /// Whether the keeper still tells.
    kept: bool,
    over: bool,
    /// Whether nobody waits any more for what the program has written.
    drained: bool,
    /// When the keeper is resumed, if it has not told of the end by then.
    nudge: Option<HostInstant>,
}

impl<'a> Supervisor<'a> {
    /// `from` is when it was started, and `unseated` how many processes had then found no row.
    pub fn new(
        launched: Launched,
        node: &'a Node,
        is_chosen: bool,
        from: HostInstant,
        unseated: u64,
    ) -> Result<Self> {
        Ok(Supervisor {
            launched,
            signals: Signals::open()?,
            node,
            from,
            unseated,
            is_chosen,
            arrival: Arrival::Unknown,
            due: host_clock::monotonic().saturating_add(ARRIVAL_LIMIT),
            overdue: false,
            received: 0,
            outcome: None,
            kept: true,
            over: false,
            drained: false,
            nudge: None,
        })
    }

    /// Until the program has ended, and its keeper has done what was to be done, or stays with what is left.
    pub fn until_end(&mut self) -> Result<End> {
        while !self.over {
            self.step()?;
        }
        let outcome = self.outcome.ok_or_else(|| {
            Error::not_applied(
                "wait for the program",
                "somebody else has waited for it, so its end is not known",
            )
        })?;
        self.look();
        if self.arrival == Arrival::Unknown && !self.is_chosen {
            self.arrival = Arrival::LeftOut;
        }
        self.drain();
        let asked_for = matches!(outcome, Outcome::Signal(signal) if self.received & bit(signal) != 0);
        let stopped_for = self.launched.spare.heard();
        Ok(End { outcome, arrival: self.arrival, overdue: self.overdue, asked_for, stopped_for })
    }

    fn step(&mut self) -> Result<()> {
        let ready = self.poll()?;
        if ready[0]
            && let Some(received) = self.signals.next()
        {
            self.receive(received)?;
        }
        if ready[1] {
            self.hear()?;
        }
        let now = host_clock::monotonic();
        if ready[2] && self.outcome.is_none() && self.nudge.is_none() {
            self.nudge = Some(now.saturating_add(KEEPER_LIMIT));
        }
        if self.kept && self.nudge.is_some_and(|at| now >= at) {
            self.nudge = Some(now.saturating_add(KEEPER_LIMIT));
            let keeper = crate::process::PidFd::open(self.launched.keeper)?;
            keeper.map(|keeper| keeper.signal(Signal::SIGCONT)).transpose()?;
        }
        if self.is_expected() {
            self.look();
            if self.arrival == Arrival::Unknown && now >= self.due {
                self.give_up(now)?;
            }
        }
        Ok(())
    }

    /// Waits for a signal, a message, or the program's end.
    fn poll(&self) -> Result<[bool; 3]> {
        use std::os::fd::AsFd;
        let waits_for_arrival = self.is_expected() && !self.overdue;
        let limit = match self.nudge {
            Some(at) if self.kept => Some(at.saturating_since(host_clock::monotonic())),
            _ => waits_for_arrival.then_some(PACE),
        };
        let entry = |fd: i32, wanted: bool| libc::pollfd {
            fd: if wanted { fd } else { -1 },
            events: libc::POLLIN,
            revents: 0,
        };
        let mut fds = [
            entry(self.signals.fd().as_raw_fd(), true),
            entry(self.launched.messages.as_raw_fd(), self.kept),
            entry(self.launched.target.as_fd().as_raw_fd(), self.kept && self.nudge.is_none()),
        ];
        match raw::poll(&mut fds, limit.map(|limit| limit.as_nanos().max(0))) {
            Ok(_) => Ok(fds.map(|fd| fd.revents != 0)),
            Err(Errno::EINTR) => Ok([false; 3]),
            Err(errno) => Err(Error::not_applied("wait for the program", errno.desc())),
        }
    }

    fn hear(&mut self) -> Result<()> {
        match next(&mut self.launched.messages) {
            Some(Message::Changed(status)) => self.change(status)?,
            Some(Message::Staying) => self.over = true,
            Some(_) => {}
            None => {
                self.kept = false;
                while waitpid(Pid::from_raw(self.launched.keeper.pid), None) == Err(Errno::EINTR) {}
                if self.outcome.is_some() {
                    self.over = true;
                } else {
                    tracing::warn!("the program's keeper was killed; the program goes on without");
                    self.launched.spare.take_over(self.node.dir(), self.launched.target.id());
                    self.collect()?;
                }
            }
        }
        Ok(())
    }

    /// Waits until what the program has written is where it belongs; a signal that would have ended a program which waits
    /// for its reader ends that.
    fn drain(&self) {
        if self.drained {
            return;
        }
        let signals = &self.signals;
        let is_enough = || signals.next().is_some_and(|received| ENDING.contains(&received.signal));
        self.launched.held.drain(signals.fd(), is_enough);
    }

    /// What a parent does, once the keeper is no more.
    fn collect(&mut self) -> Result<()> {
        let pid = self.launched.target.id().pid;
        loop {
            if let Some(status) = self.launched.spare.collected(pid) {
                self.change(status)?;
            }
            if self.outcome.is_some() {
                self.over = true;
                break;
            }
            match wait_for(pid, libc::WNOHANG | libc::WUNTRACED) {
                Ok(Some(status)) => self.change(status)?,
                Ok(None) => break,
                Err(_) => {
                    // Not a child any more: it has ended, and that was told before, meanwhile, or is lost.
                    if let Some(status) = self.launched.spare.collected(pid) {
                        self.change(status)?;
                    }
                    self.over = true;
                    break;
                }
            }
            if self.outcome.is_some() {
                self.over = true;
                break;
            }
        }
        // And whoever else was reparented here.
        if self.over {
            while waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WNOTHREAD))
                .is_ok_and(|status| status.pid().is_some())
            {}
        }
        Ok(())
    }

    fn change(&mut self, status: i32) -> Result<()> {
        match Change::of_status(status) {
            Change::Ended(outcome) => self.outcome = Some(outcome),
            Change::Stopped(signal @ (libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)) => {
                // It may have been continued before this was read.
                if self.is_stopped() {
                    super::wait::stop_by(signal);
                }
            }
            Change::Stopped(_) | Change::Continued => {}
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        matches!(stillness(self.launched.target.id()), Stillness::Still { by_signal: true })
    }

    fn receive(&mut self, received: Received) -> Result<()> {
        if received.signal == libc::SIGCHLD {
            return if self.kept { Ok(()) } else { self.collect() };
        }
        self.received |= bit(received.signal);
        if self.outcome.is_some() && ENDING.contains(&received.signal) {
            // Only the passing on of its output is left, to somebody who does not take it.
            (self.over, self.drained) = (true, true);
            return Ok(());
        }
        if received.signal == libc::SIGWINCH && !received.is_own() && self.launched.held.is_some() {
            // The signal has reached the program before its terminal had the new size: so once more.
            self.launched.held.resize();
            let _ = killpg(getpgrp(), Signal::SIGWINCH);
            return Ok(());
        }
        if !received.is_for_run_alone() || received.is_own() || received.is_from_below(self.launched.keeper) {
            return Ok(());
        }
        if received.signal == libc::SIGCONT {
            // Sent to the group, it has reached the program too.
            host_clock::sleep(CONTINUED_AFTER);
            if !self.is_stopped() {
                return Ok(());
            }
        }
        use std::os::fd::AsFd;
        let target = self.launched.target.as_fd().as_raw_fd();
        match raw::pidfd_send_signal(target, received.signal) {
            Ok(_) | Err(Errno::ESRCH) => {}
            Err(errno) => tracing::warn!("signal {} was not passed on: {}", received.signal, errno.desc()),
        }
        Ok(())
    }

    fn look(&mut self) {
        if self.arrival == Arrival::Unknown {
            let pid = self.launched.target.id().pid;
            self.arrival = arrival::look(self.node.evidence(), pid, self.from, self.unseated);
        }
    }

    /// Whether it has still to tell that its clock is false. One that is left out may do so too: once it executes another program.
    fn is_expected(&self) -> bool {
        self.outcome.is_none() && self.arrival == Arrival::Unknown && self.is_chosen
    }

    fn give_up(&mut self, now: HostInstant) -> Result<()> {
        if !self.node.choice().selects_process(self.launched.target.id()) {
            // It has executed another program since, before the shim was loaded: one that is left out.
            self.is_chosen = false;
        } else if self.is_stopped() {
            self.due = now.saturating_add(ARRIVAL_LIMIT);
        } else if !self.overdue {
            self.overdue = true;
            self.launched.target.signal(Signal::SIGKILL)?;
        }
        Ok(())
    }
}

fn bit(signal: i32) -> u64 {
    1_u64.checked_shl(signal.unsigned_abs().saturating_sub(1)).unwrap_or(0)
}
