//! `falseticker create NODE`.

use std::ffi::OsString;

use falseticker::node::{Choice, Kind, MadeBy, NodeName};
use falseticker::{Node, Result};
use serde_json::json;

use super::output::Reply;

const EXAMPLES: &str = "\
Examples:
  falseticker create a                      then: run --node a -- COMMAND
  falseticker create db --share             programs that change user
  falseticker create a --monotonic          for --clock all
  falseticker create a --skip sh            shells in it keep true time";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node's name
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    /// Let faults touch its monotonic clocks too (--clock all); fixed from now on
    #[arg(long)]
    pub monotonic: bool,

    /// Let programs of other users be in it, and those that change user
    #[arg(long)]
    pub share: bool,

    /// Pass clock_settime, adjtimex and the like on to the machine, not refuse them
    #[arg(long)]
    pub allow_settime: bool,

    /// Give the false clock to COMMAND alone, a file's name or path; can be repeated
    #[arg(long, value_name = "COMMAND", conflicts_with = "skip")]
    pub only: Vec<OsString>,

    /// Leave COMMAND out, which then reads true time; can be repeated
    #[arg(long, value_name = "COMMAND")]
    pub skip: Vec<OsString>,
}

/// Makes a node.
pub fn create(args: &Args) -> Result<Reply> {
    let kind = Kind {
        made_by: MadeBy::Create,
        monotonic: args.monotonic,
        share: args.share,
        allow_settime: args.allow_settime,
    };
    let choice = Choice::of(&args.only, &args.skip)?;
    let node = Node::make_choosing(&args.node, kind, &choice)?;
    let name = node.name();
    let text = format!("node {name}: created; run something in it: falseticker run --node {name} -- COMMAND");
    let json = json!({
        "node": name,
        "directory": node.dir().path().display().to_string(),
        "monotonic": kind.monotonic,
        "share": kind.share,
        "allow_settime": kind.allow_settime,
        "only": shown(&choice.only()),
        "skip": shown(&choice.skip()),
    });
    Ok(Reply::done(text, json))
}

fn shown(names: &[OsString]) -> Vec<String> {
    names.iter().map(|name| name.to_string_lossy().into_owned()).collect()
}
