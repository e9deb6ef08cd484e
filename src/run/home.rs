//! The node that a program is to run in: joined or made, and gone again if the program never starts.

use crate::error::{Error, Result};
use crate::node::{Applied, BaseDir, Choice, Kind, MadeBy, Node, NodeDir, NodeName};

use super::Request;

/// A node, and whether it was made for this program.
#[derive(Debug)]
pub struct Home {
    /// The node.
    pub node: Node,
    /// The node, while nobody else sees to its end.
    mine: Option<NodeDir>,
    made: bool,
}

impl Home {
    /// The node that is asked for, in which this choice is made.
    pub fn enter(request: &Request, choice: &Choice) -> Result<Self> {
        for fault in &request.faults {
            fault.check(request.clocks, false)?;
        }
        let kind = Kind {
            made_by: MadeBy::Run,
            monotonic: request.monotonic,
            share: request.share,
            allow_settime: request.allow_settime,
        };
        let Some(name) = &request.node else {
            return Home::make(&own_name()?, kind, choice);
        };
        match NodeDir::open(&BaseDir::find()?, name) {
            Ok(dir) => Home::join(dir, request, choice),
            // Another `run` may have made it meanwhile.
            Err(_) => {
                Home::make(name, kind, choice).or_else(|why| match NodeDir::open(&BaseDir::find()?, name) {
                    Ok(dir) => Home::join(dir, request, choice),
                    Err(_) => Err(why),
                })
            }
        }
    }

    fn make(name: &NodeName, kind: Kind, choice: &Choice) -> Result<Self> {
        let node = Node::make_choosing(name, kind, choice)?;
        let mine = Some(node.dir().clone());
        Ok(Home { node, mine, made: true })
    }

    fn join(dir: NodeDir, request: &Request, choice: &Choice) -> Result<Self> {
        let node = Node::of_dir(dir)?;
        let kind = node.kind();
        for (asked, is, flag) in [
            (request.monotonic, kind.monotonic, "--monotonic"),
            (request.share, kind.share, "--share"),
            (request.allow_settime, kind.allow_settime, "--allow-settime"),
        ] {
            if asked && !is {
                let attempted = format!("run in node {} with {flag}", node.name());
                return Err(Error::bad_input(attempted, "that node was made without it").remedy(format!(
                    "leave {flag} out, choose another name, or falseticker remove {} first",
                    node.name()
                )));
            }
        }
        if !choice.is_everything() && choice != node.choice() {
            return Err(other_choice(&node, choice));
        }
        Ok(Home { node, mine: None, made: false })
    }

    /// Puts the faults in force; those that were applied.
    pub fn apply(&self, request: &Request) -> Result<Vec<Applied>> {
        request.faults.iter().map(|fault| self.node.fault(*fault, request.clocks, None)).collect()
    }

    /// Whether it was made for this program.
    pub fn is_made_here(&self) -> bool {
        self.made
    }

    /// Leaves the node's end to the keeper.
    pub fn entrust(&mut self) {
        self.mine = None;
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(dir) = self.mine.take()
            && let Err(why) = dir.remove()
        {
            tracing::warn!("{why}");
        }
    }
}

/// The choice among programs that is asked for; in a node that is there already, that node's, if none is.
pub fn choice(request: &Request) -> Result<Choice> {
    let asked = Choice::of(&request.only, &request.skip)?;
    match &request.node {
        Some(name) if asked.is_everything() => {
            NodeDir::open(&BaseDir::find()?, name).map_or(Ok(asked), |dir| Choice::read(&dir))
        }
        _ => Ok(asked),
    }
}

fn other_choice(node: &Node, asked: &Choice) -> Error {
    let name = node.name();
    let made = match node.choice() {
        all if all.is_everything() => "without a choice among programs".to_owned(),
        choice => format!("with {choice}"),
    };
    Error::bad_input(format!("run in node {name} with {asked}"), format!("that node was made {made}")).remedy(
        format!("leave --only and --skip out, choose another name, or falseticker remove {name} first"),
    )
}

/// A name that no other `run` takes while this one lives.
fn own_name() -> Result<NodeName> {
    let base = BaseDir::find()?;
    let name = format!("run-{}", std::process::id());
    let mut count = 1;
    let mut candidate: NodeName = name.parse()?;
    // An earlier process with this pid may have left a program behind in its node.
    while NodeDir::open(&base, &candidate).is_ok() {
        count += 1;
        candidate = format!("{name}-{count}").parse()?;
    }
    Ok(candidate)
}
