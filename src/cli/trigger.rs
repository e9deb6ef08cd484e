//! The flags that put a fault off until something has happened; the same for `freeze` and every clock fault.
//!
//! What must hold: whatever can be refused has been refused before anything is waited for; a signal that comes while it is
//! waited for ends the command with nothing applied.

use std::os::fd::AsFd;
use std::path::PathBuf;

use falseticker::trigger::{self, Fired, OnCommand, OnConnect, OnFile, OnOutput, Pattern, Trigger, Waited};
use falseticker::{Error, ErrorKind, Node, Result, Span};
use serde_json::Value;

use super::output::Output;
use super::signals::Signals;
use super::values;

/// The flags.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Triggers (one of them)")]
#[group(skip)]
pub struct Options {
    /// Only when PATH appears or changes; its directory must exist
    #[arg(long, value_name = "PATH", group = "trigger")]
    pub on_file: Option<PathBuf>,

    /// Only when 'sh -c CMD' succeeds, which is tried every 100 ms, on the host's clock: 'is this node the leader?'
    #[arg(long, value_name = "CMD", group = "trigger")]
    pub on_command: Option<String>,

    /// Only when a line of the node's output matches REGEX; of programs that were started by run --capture
    #[arg(long, value_name = "REGEX", group = "trigger", value_parser = trigger::pattern)]
    pub on_output: Option<Pattern>,

    /// Only when a process of the node calls connect() to PORT; it connects once the fault is in force, 1 s later at most
    #[arg(long, value_name = "PORT", group = "trigger")]
    pub on_connect: Option<u16>,

    /// Try the command of --on-command every SPAN
    #[arg(long, value_name = "SPAN", requires = "on_command", value_parser = values::length)]
    #[arg(allow_hyphen_values = true)]
    pub poll: Option<Span>,

    /// Only SPAN after the trigger has fired
    #[arg(long, value_name = "SPAN", requires = "trigger", value_parser = values::limit)]
    #[arg(allow_hyphen_values = true)]
    pub delay: Option<Span>,
}

impl Options {
    /// Whether there is anything to wait for.
    pub fn is_asked(&self) -> bool {
        self.on_file.is_some()
            || self.on_command.is_some()
            || self.on_output.is_some()
            || self.on_connect.is_some()
    }

    /// Waits for the trigger and the delay after it; comes back at once if no trigger is asked for.
    pub fn wait(&self, node: &Node, output: &Output) -> Result<Come> {
        let Some(mut trigger) = self.prepare(node)? else { return Ok(Come { fired: None, trigger: None }) };
        let signals = Signals::hold()?;
        let awaited = trigger.awaited();
        output.say(&format!("node {}: waiting for {awaited}", node.name()))?;
        match trigger::wait(trigger.as_mut(), self.delay.unwrap_or(Span::ZERO), Some(signals.as_fd()))? {
            Waited::Fired(fired) => {
                output.say(&format!("node {}: {}", node.name(), said(&fired)))?;
                Ok(Come { fired: Some(fired), trigger: Some(trigger) })
            }
            Waited::Cancelled => {
                signals.take();
                let why = "a signal ended it; nothing was applied";
                Err(Error::new(ErrorKind::Interrupted, format!("wait for {awaited}"), why))
            }
        }
    }

    fn prepare(&self, node: &Node) -> Result<Option<Box<dyn Trigger>>> {
        // Another trigger in its place makes clap forget that the one requires the other.
        if self.poll.is_some() && self.on_command.is_none() {
            return Err(Error::bad_input(
                "use --poll",
                "there is no --on-command whose tries it could space",
            ));
        }
        Ok(if let Some(path) = &self.on_file {
            Some(Box::new(OnFile::prepare(path)?))
        } else if let Some(command) = &self.on_command {
            Some(Box::new(OnCommand::prepare(command, self.poll.unwrap_or(trigger::POLL))?))
        } else if let Some(port) = self.on_connect {
            Some(Box::new(OnConnect::prepare(node, port)?))
        } else if let Some(pattern) = &self.on_output {
            Some(Box::new(OnOutput::prepare(node, pattern.clone())?))
        } else {
            None
        })
    }
}

/// What was waited for has come. Whom the trigger holds waits for the fault.
#[derive(Default)]
#[must_use = "whom the trigger holds waits to be let go"]
pub struct Come {
    fired: Option<Fired>,
    trigger: Option<Box<dyn Trigger>>,
}

impl Come {
    /// Lets go whom the trigger holds, now that the fault is in force; what fired comes back.
    pub fn let_go(self) -> Option<Fired> {
        drop(self.trigger);
        self.fired
    }
}

/// What fired, in words.
fn said(fired: &Fired) -> String {
    match fired.kind {
        "command" => format!("command '{}' has succeeded", fired.on),
        "connect" => format!("a connection to {}", fired.on),
        "output" => format!("the program wrote: {}", super::table::cut(&fired.on, 60)),
        _ => fired.on.clone(),
    }
}

/// What fired, as an object: null if nothing was waited for.
pub fn to_json(fired: Option<&Fired>) -> Value {
    serde_json::to_value(fired).unwrap_or_default()
}
