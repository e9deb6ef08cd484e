//! Whether a program is ready.
//!
//! What must hold: a program is ready when what its scenario says is so, and it is known to read its node's clock.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use regex::bytes::Regex;

use crate::Result;
use crate::scenario::Ready;
use crate::trigger::{OnCommand, POLL, Trigger, pattern};

/// What is waited for.
pub enum Readiness {
    /// Nothing.
    AtOnce,
    /// A port that somebody listens to.
    Port(u16),
    /// A line of output; whether it has come.
    Output(Regex, bool),
    /// A command that succeeds.
    Command(OnCommand),
}

impl Readiness {
    /// As the scenario says it, whose file is there.
    pub fn of(ready: Option<&Ready>, dir: &Path) -> Result<Readiness> {
        Ok(match ready {
            Some(Ready { port: Some(port), .. }) => Readiness::Port(port.number()?),
            Some(Ready { output: Some(output), .. }) => Readiness::Output(pattern(output)?, false),
            Some(Ready { command: Some(command), .. }) => {
                Readiness::Command(OnCommand::prepare(command, POLL)?.within(dir))
            }
            _ => Readiness::AtOnce,
        })
    }

    /// Takes a line of output.
    pub fn take(&mut self, line: &str) {
        if let Readiness::Output(pattern, come) = self {
            *come |= pattern.is_match(line.as_bytes());
        }
    }

    /// Whether it is so now.
    pub fn look(&mut self) -> Result<bool> {
        match self {
            Readiness::AtOnce => Ok(true),
            Readiness::Port(port) => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
                Ok(TcpStream::connect_timeout(&address, Duration::from_millis(50)).is_ok())
            }
            Readiness::Output(_, come) => Ok(*come),
            Readiness::Command(command) => Ok(command.look()?.is_some()),
        }
    }

    /// What is waited for, in words.
    pub fn awaited(&self) -> String {
        match self {
            Readiness::AtOnce => "its shim to be loaded".to_owned(),
            Readiness::Port(port) => format!("port {port}"),
            Readiness::Output(pattern, _) => format!("a line of output that matches '{pattern}'"),
            Readiness::Command(command) => command.awaited(),
        }
    }
}
