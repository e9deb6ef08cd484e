//! `falseticker heal [NODE...]`.
//!
//! What must hold: a name that no node has changes nothing; a node that cannot be healed does not keep the others from
//! it; thawing does not depend on a page that can be read.

use falseticker::node::{Answer, Applied, BaseDir, NodeDir, NodeName};
use falseticker::trap::{self, Released};
use falseticker::units::format_rate;
use falseticker::{Error, Heal, Node, Rate, Result, Span, freeze, host_clock, suspend};
use serde_json::{Value, json};

use super::output::{Output, Reply, complain, error_json};
use super::table::{count, near, short};
use super::thaw::{released_json, released_words};
use super::{exit, fault, thaw, values};

const EXAMPLES: &str = "\
Examples:
  falseticker heal                          every node
  falseticker heal a b                      these
  falseticker heal a --slew 500ppm          led back without a step
  falseticker heal a --wait 5s              until every process has read it

What is planned is cancelled, frozen processes go on, and the wall clock is true again. The monotonic clocks run at \
the true rate and keep their offsets, since they never run backward; status shows them.";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The nodes; without names, all
    #[arg(value_name = "NODE")]
    pub nodes: Vec<NodeName>,

    /// Lead wall clocks back at RATE, a deviation such as 500ppm, instead of by a step
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, value_parser = values::way_back)]
    pub slew: Option<Rate>,

    /// Wait until every reached process that runs has read its clock since, SPAN at most; exit 1 if not
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true, value_parser = values::limit)]
    pub wait: Option<Span>,
}

/// What was done to one node.
#[derive(Debug)]
pub struct Healed {
    dir: NodeDir,
    thawed: Option<Vec<i32>>,
    released: Released,
    applied: Option<Applied>,
    answer: Option<Answer>,
}

/// Heals nodes.
pub fn heal(args: &Args, output: &Output) -> Result<Reply> {
    let base = BaseDir::find()?;
    // All names are looked up first: one that is wrong changes nothing.
    let dirs = if args.nodes.is_empty() {
        NodeDir::list(&base)?
    } else {
        args.nodes.iter().map(|name| NodeDir::open(&base, name)).collect::<Result<_>>()?
    };
    if dirs.is_empty() {
        output.say("no nodes")?;
    }
    let (mut healed, mut failed) = (Vec::new(), Vec::new());
    let mut code = exit::DONE;
    for dir in dirs {
        match heal_one(&dir, args, output) {
            Ok(one) => {
                let no = one.answer.as_ref().is_some_and(|answer| !answer.is_yes());
                code = code.max(if no { exit::NO } else { exit::DONE });
                healed.push(to_json(&one));
            }
            Err(why) => {
                code = code.max(exit::code(&why, false));
                complain(&why);
                failed.push(json!({ "node": dir.name(), "error": error_json(&why) }));
            }
        }
    }
    Ok(Reply::done("", json!({ "healed": healed, "failed": failed })).with_code(code))
}

fn heal_one(dir: &NodeDir, args: &Args, output: &Output) -> Result<Healed> {
    let (node, mut healed) = heal_node(dir, args.slew)?;
    output.say(&line(&healed, args.slew))?;
    if let (Some(applied), Some(limit)) = (&healed.applied, args.wait) {
        let answer = node.wait_until_read(applied, limit)?;
        output.say(fault::evidence_lines(&answer).trim_end())?;
        healed.answer = Some(answer);
    }
    Ok(healed)
}

/// Ends all faults of a node; its clock is led back at a rate, or stepped.
pub fn heal_node(dir: &NodeDir, slew: Option<Rate>) -> Result<(Node, Healed)> {
    suspend::wake_early(dir);
    let ended = freeze::thaw(dir.path())?;
    let thawed = (!ended.is_empty()).then(|| thaw::pids(&ended));
    let released = trap::release(dir)?;
    let how = slew.map_or(Heal::Step, Heal::Slew);
    let node = Node::of_dir(dir.clone()).map_err(|why| damaged(dir, &why))?;
    let applied = node.heal_clocks(how)?;
    if let Some(applied) = &applied {
        // "Healed" is said once it is so.
        host_clock::sleep_until_all_show(applied.at);
    }
    Ok((node, Healed { dir: dir.clone(), thawed, released, applied, answer: None }))
}

/// A page that cannot be read cannot be healed; which node that is, the page's own error need not say.
fn damaged(dir: &NodeDir, why: &Error) -> Error {
    let name = dir.name();
    Error::new(
        why.kind(),
        format_args!("heal node {name}"),
        format_args!("cannot {}: {}", why.attempted(), why.why()),
    )
    .remedy(format_args!("falseticker remove {name}, and make it anew"))
}

/// "node a: healed (change 4, wall); thawed, 3 processes".
pub fn line(healed: &Healed, slew: Option<Rate>) -> String {
    let mut said = Vec::new();
    match (&healed.applied, slew) {
        (Some(applied), slew) => {
            let clocks = format!("(change {}, {})", applied.id, applied.clocks.join(" "));
            match (slew, applied.until) {
                (Some(rate), Some(until)) => {
                    let length = near(until.saturating_since(applied.at));
                    said.push(format!("led back at {}, true in {length} {clocks}", format_rate(rate)));
                }
                _ => said.push(format!("healed {clocks}")),
            }
            if applied.late_by != Span::ZERO {
                said.push(format!("late by {}", short(applied.late_by)));
            }
        }
        (None, _) if healed.thawed.is_none() && healed.released.is_nothing() => {
            said.push("nothing to heal".to_owned())
        }
        (None, _) => {}
    }
    if let Some(pids) = &healed.thawed {
        said.push(format!("thawed, {}", count(pids.len(), "process", "processes")));
    }
    said.extend(released_words(&healed.released));
    format!("node {}: {}", healed.dir.name(), said.join("; "))
}

fn to_json(healed: &Healed) -> Value {
    let mut json = fault::to_json(healed.dir.name(), healed.applied.as_ref(), healed.answer.as_ref());
    json["thawed"] = json!(healed.thawed.as_deref().unwrap_or_default());
    json["trap"] = released_json(&healed.released);
    json
}
