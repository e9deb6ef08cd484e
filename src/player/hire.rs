//! What is needed before anybody plays: programs examined, nodes made, keepers charged.
//!
//! What must hold: whatever can be refused is refused before the first node is made.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::keeper::Charge;
use crate::error::{Error, ErrorKind, Result};
use crate::node::{self, Kind, MadeBy, Node};
use crate::reach::Wanted;
use crate::run::launch::{self, Command};
use crate::scenario::{Program, Scenario, signal};

/// Examines the programs, before anything is made. A relative path is one from the directory that the program runs in.
///
/// A program called `falseticker` is `falseticker`, where that is named.
pub fn examine(scenario: &Scenario, base: &Path, falseticker: Option<&Path>) -> Result<Vec<Command>> {
    let examine = |program: &Program| {
        let mut words: Vec<OsString> = program.command.iter().map(Into::into).collect();
        if let (Some(first), Some(falseticker)) =
            (words.first_mut().filter(|first| **first == PLAYER), falseticker)
        {
            *first = falseticker.into();
        } else if let Some(first) = words.first_mut().filter(|first| first.as_bytes().contains(&b'/')) {
            *first = directory(program, base).join(&*first).into();
        }
        Command::examine(&words, wanted(program), &node::Choice::default()).map_err(|why| {
            // Those two have exit codes of their own in `run` alone.
            let bad = matches!(why.kind(), ErrorKind::NotFound | ErrorKind::CannotExecute);
            let kind = if bad { ErrorKind::BadInput } else { why.kind() };
            let error = Error::new(kind, why.attempted(), why.why());
            why.help().map_or(error.clone(), |help| error.remedy(help))
        })
    };
    scenario.nodes.values().map(examine).collect()
}

fn wanted(program: &Program) -> Wanted {
    program.reach.map_or(Wanted::Auto, crate::scenario::Reach::wanted)
}

/// The word that means the very program that plays, wherever that is and whatever it is called.
const PLAYER: &str = "falseticker";

/// Where a program runs.
fn directory(program: &Program, base: &Path) -> PathBuf {
    program.dir.as_ref().map_or(base.to_owned(), |dir| base.join(dir))
}

/// Makes the nodes.
pub fn make_nodes(scenario: &Scenario) -> Result<IndexMap<String, Node>> {
    let mut nodes = IndexMap::new();
    for (name, program) in &scenario.nodes {
        let kind = Kind {
            made_by: MadeBy::Run,
            monotonic: program.monotonic,
            share: program.share,
            allow_settime: program.allow_settime,
        };
        match name.parse().and_then(|name| Node::make(&name, kind)) {
            Ok(node) => nodes.insert(name.clone(), node),
            Err(why) => {
                remove(&nodes);
                return Err(why);
            }
        };
    }
    Ok(nodes)
}

/// Removes nodes in which nobody was started.
pub fn remove(nodes: &IndexMap<String, Node>) {
    for node in nodes.values() {
        if let Err(why) = crate::node::sweep_node(node.dir())
            && node.dir().path().exists()
        {
            tracing::warn!("{why}");
        }
    }
}

/// What a node's keeper is to do.
pub fn charge(program: &Program, node: &Node, command: &Command, base: &Path) -> Result<Charge> {
    let attempted = || format!("prepare the program of node {}", node.name());
    let dir = directory(program, base);
    if !dir.is_dir() {
        let why = format!("{} is no directory", dir.display());
        return Err(Error::bad_input(attempted(), why).remedy("make it, or correct dir"));
    }
    let scratch = scratch(node)?;
    let mut target = launch::prepare(command, node)?;
    let mut own = program.env.clone();
    own.insert("FALSETICKER_SCRATCH".to_owned(), scratch.display().to_string());
    own.insert("FALSETICKER_NODE".to_owned(), node.name().to_string());
    target.env.retain(|variable| {
        let name = variable.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
        !own.keys().any(|own| own.as_bytes() == name)
    });
    for (name, value) in own {
        let both = CString::new(format!("{name}={value}"));
        target.env.push(both.map_err(|why| Error::bad_input(attempted(), why))?);
    }
    let stop = program.stop.clone().unwrap_or_default();
    Ok(Charge {
        node: Node::of_dir(node.dir().clone())?,
        target,
        follow: (command.need(false), wanted(program)),
        dir: CString::new(dir.as_os_str().as_bytes()).map_err(|why| Error::bad_input(attempted(), why))?,
        scratch,
        stop: (signal(&stop.signal)?, stop.within),
    })
}

/// A directory of the node's own, which outlives its programs and goes with it.
fn scratch(node: &Node) -> Result<PathBuf> {
    let mut number = 0;
    loop {
        let name = format!("falseticker-{}-{}-{number}", node.name(), std::process::id());
        let path = std::env::temp_dir().join(name);
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists && number < 1_000 => number += 1,
            Err(why) => {
                return Err(Error::not_applied(format_args!("make the directory {}", path.display()), why)
                    .remedy("set TMPDIR to a directory that can be written to"));
            }
        }
    }
}
