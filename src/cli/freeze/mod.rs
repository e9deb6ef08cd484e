//! `falseticker freeze NODE [--for LENGTH [--every GAP | --on-read CLOCK]]`.
//!
//! What must hold: with `--for` it is over when the processes run again, however that came about; a signal that ends
//! this command thaws first (until the last process has stopped signals act as ever: the guards see to the rest).

mod how;
mod on_read;
mod series;
mod shape;
mod told;

use std::num::NonZeroU64;

use falseticker::freeze::{End, Ended, Plan};
use falseticker::node::NodeName;
use falseticker::units::format_span;
use falseticker::{ErrorKind, Node, Result};

use super::output::{Output, Reply};
use super::signals::{Signals, Woken};
use super::table::short;
use super::{exit, trigger};
use on_read::OnRead;
use shape::{Asked, Shape};
pub use shape::{Once, once};
pub use told::{add_end, line, to_json};

const EXAMPLES: &str = "\
Examples:
  falseticker freeze a --for 15s            in the foreground; Ctrl-C thaws
  falseticker freeze a                      returns once all stand still
  falseticker freeze a --how auto           by a control group, if possible
  falseticker freeze a --thread 'GC*' --for 2s
  falseticker freeze a --for 'uniform(10ms,2s)' --every 5s --count 20 --seed 7
  falseticker freeze a --preset gc-young --until 10m
  falseticker freeze a --for 'file(gc.log)' --every 'file(gc.log)'
  falseticker freeze a --for 15s --on-output 'became leader'
  falseticker freeze a --for 5s --on-file /run/a.pid --delay 2s
  falseticker freeze a --on-read wall --for 15s             after the next read
  falseticker freeze a --on-read wall --nth 100 --hold node --for 15s

If this command is killed while it waits, SIGKILL included, the processes go on within 100 ms.";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", shape::LENGTHS))]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    /// How long, and how often.
    #[command(flatten)]
    pub shape: Shape,

    #[command(flatten)]
    pub how: how::Options,

    #[command(flatten)]
    pub trigger: trigger::Options,
    /// At which read of a clock.
    #[command(flatten)]
    pub on_read: OnRead,
}

/// Freezes a node.
pub fn freeze(args: &Args, output: &Output) -> Result<Reply> {
    if args.on_read.on_read.is_some() {
        return at_a_read(args, output);
    }
    let how = args.how.how()?;
    let asked = args.shape.asked()?;
    let node = Node::open(args.node.as_str())?;
    if let (Asked::Again(again), true) = (&asked, args.trigger.is_asked()) {
        // A file that cannot be read is refused before anything is waited for.
        again.series.pauses()?;
    }
    let mut come = trigger::Come::default();
    let once = match asked {
        Asked::Once(once) => Some(once),
        Asked::UntilThaw => None,
        Asked::Again(again) => {
            if args.trigger.is_asked() {
                node.check_freeze(&how)?;
                come = args.trigger.wait(&node, output)?;
            }
            let reply = series::run(&node, again, &Plan { how, ..Plan::default() }, output)?;
            // Whom it holds goes on after its second, which the first pause has begun in.
            let fired = come.let_go();
            return Ok(reply.with_field("trigger", trigger::to_json(fired.as_ref())));
        }
    };
    let lasts = once.as_ref().map(|once| once.lasts);
    let end = lasts.map_or(End::OnThaw, End::After);
    let frozen = node.freeze_once(&Plan { end, how, ..Plan::default() }, &mut || {
        come = args.trigger.wait(&node, output)?;
        Ok(())
    })?;
    let fired = come.let_go();
    let until = frozen.until();
    let mut line = line(node.name(), frozen.report(), lasts);
    let mut json = to_json(node.name(), frozen.report(), until);
    if let Some(drawn) = once.and_then(|once| once.drawn) {
        line.push_str(&drawn.line());
        json["drawn"] = drawn.to_json();
    }
    json["trigger"] = trigger::to_json(fired.as_ref());
    if until.is_none() {
        // Said only once nothing can come between.
        frozen.detach()?;
        return Ok(Reply::done(line, json));
    }
    let signals = Signals::hold()?;
    let since = frozen.report().last_confirmed;
    output.say(&line)?;
    let (thawed, said) = match signals.wait(&frozen)? {
        Woken::Signal => (frozen.thaw()?, None),
        Woken::Ended => {
            let thawed = frozen.wait_and_thaw()?;
            let ended = thawed.ended;
            (thawed, Some(ended))
        }
    };
    let after = short(thawed.first_resumed.saturating_since(since));
    let (how, words, code) = match said {
        None => {
            ("interrupted", format!("interrupted; thawed after {after}"), ErrorKind::Interrupted.exit_code())
        }
        Some(Ended::AsPlanned) => ("as-planned", format!("thawed after {after}"), exit::DONE),
        Some(Ended::ByRequest) => {
            ("by-request", format!("thawed by another command after {after}"), exit::DONE)
        }
        Some(Ended::GuardsLost) => {
            let words = format!("thawed after {after} already, since its guards were killed");
            ("guards-lost", words, ErrorKind::NotApplied.exit_code())
        }
    };
    add_end(&mut json, how, since, &thawed);
    Ok(Reply::done(format!("node {}: {words}", node.name()), json).with_code(code))
}

/// Pauses at reads of a clock.
fn at_a_read(args: &Args, output: &Output) -> Result<Reply> {
    let how = args.how.how()?;
    let once = args.shape.single()?;
    let plan =
        args.on_read.plan(once.as_ref(), args.shape.count.map(NonZeroU64::get), args.shape.seed, &how)?;
    let node = Node::open(args.node.as_str())?;
    let fired = args.trigger.wait(&node, output)?.let_go();
    if let Some(Once { lasts, drawn: Some(drawn) }) = &once {
        output.say(&format!("node {}: pauses of {}{}", node.name(), format_span(*lasts), drawn.line()))?;
    }
    let reply = on_read::run(&node, &plan, how, output)?;
    Ok(reply.with_field("trigger", trigger::to_json(fired.as_ref())))
}
