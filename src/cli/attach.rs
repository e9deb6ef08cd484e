//! `falseticker attach --pid PID...`.
//!
//! What must hold: each process joins or is refused by itself, and one that is refused does not keep the others from it; a node
//! that nobody has joined is not left behind.

use falseticker::node::{BaseDir, Kind, MadeBy, NodeDir, NodeName};
use falseticker::process::{ProcessId, Table};
use falseticker::reach::Attached;
use falseticker::{Error, Node, Result};
use serde_json::{Value, json};

use super::exit;
use super::output::{Output, Reply, complain, error_json};
use super::table::{count, short};

const EXAMPLES: &str = "\
Examples:
  falseticker attach --pid 4242                        a node of its own
  falseticker attach --pid 4242 4243 --node a          both in one node
  falseticker attach --pid 4242 --tree --node a        and all below it
  falseticker attach --pid 4242 --follow               and what it executes
  falseticker jump a -1h                               then, as any node
  falseticker detach --pid 4242                        its own clock again

The process is stopped for about a millisecond, all its threads at once, and is not traced afterwards. Its clock reads by libc and \
by the vDSO are the node's from then on, and those of the children that it forks; not those of programs that it executes. \
Its waits stay the machine's. Needs the right to trace it: root, or its user where kernel.yama.ptrace_scope is 0.";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The running processes
    #[arg(long = "pid", value_name = "PID", required = true, num_args = 1.., allow_negative_numbers = true)]
    pub pids: Vec<i32>,

    /// The node to join: made if there is none of that name; without it, one is made
    #[arg(long, value_name = "NAME")]
    pub node: Option<NodeName>,

    /// And all that descends from them
    #[arg(long)]
    pub tree: bool,

    /// And what they and their children execute: a process of falseticker's traces them for it from now on
    #[arg(long)]
    pub follow: bool,
}

/// Whom the command has dealt with.
#[derive(Default)]
struct Done {
    attached: Vec<Attached>,
    failed: Vec<(i32, Error)>,
}

/// Has running processes join a node.
pub fn attach(args: &Args, output: &Output) -> Result<Reply> {
    let (node, made) = node(args)?;
    let mut done = Done::default();
    for pid in &args.pids {
        one(&node, *pid, &mut done, output)?;
    }
    if args.tree {
        tree(&node, &args.pids, &mut done, output)?;
    }
    let mut follower = None;
    if args.follow && !done.attached.is_empty() {
        let processes: Vec<ProcessId> = done.attached.iter().map(|one| one.process).collect();
        follower = Some(node.follow(&processes)?.pid);
    }
    if made && done.attached.is_empty() {
        let name = node.name().clone();
        drop(node);
        falseticker::node::remove(name.as_str())?;
        return Ok(reply(&name, false, &done, None));
    }
    Ok(reply(node.name(), made, &done, follower))
}

/// The node to join, and whether it was made for that.
fn node(args: &Args) -> Result<(Node, bool)> {
    let base = BaseDir::find()?;
    let kind = Kind { made_by: MadeBy::Run, monotonic: false, share: false, allow_settime: false };
    if let Some(name) = &args.node {
        return match NodeDir::open(&base, name) {
            Ok(dir) => Node::of_dir(dir).map(|node| (node, false)),
            Err(_) => Node::make(name, kind).map(|node| (node, true)),
        };
    }
    let first = args.pids.first().copied().unwrap_or_default();
    for number in 1_u32.. {
        let name = if number == 1 { format!("pid-{first}") } else { format!("pid-{first}-{number}") };
        let name: NodeName = name.parse()?;
        // An earlier process with this pid may have left a child behind in its node.
        if NodeDir::open(&base, &name).is_err() {
            return Node::make(&name, kind).map(|node| (node, true));
        }
    }
    Err(Error::not_applied("name a node", "all names are taken"))
}

fn one(node: &Node, pid: i32, done: &mut Done, output: &Output) -> Result<()> {
    match node.attach(pid) {
        Ok(attached) => {
            output.say(&line(node.name(), &attached))?;
            done.attached.push(attached);
        }
        Err(why) => {
            complain(&why);
            done.failed.push((pid, why));
        }
    }
    Ok(())
}

/// All that descends from the processes, until a look shows nobody new: one that is not attached yet may fork another.
fn tree(node: &Node, pids: &[i32], done: &mut Done, output: &Output) -> Result<()> {
    let roots: Vec<ProcessId> =
        done.attached.iter().map(|one| one.process).filter(|one| pids.contains(&one.pid)).collect();
    loop {
        let table = Table::scan()?;
        let seen = |pid: i32| {
            done.attached.iter().any(|one| one.process.pid == pid)
                || done.failed.iter().any(|(other, _)| *other == pid)
        };
        let own = ProcessId::own();
        let below = table.family(&roots).into_iter();
        let new: Vec<i32> = below
            .filter(|process| Some(process.id) != own && !process.state.is_gone() && !seen(process.id.pid))
            .map(|process| process.id.pid)
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        for pid in new {
            one(node, pid, done, output)?;
        }
    }
}

fn line(node: &NodeName, attached: &Attached) -> String {
    let pid = attached.process;
    if attached.already {
        return format!("node {node}: process {pid} is in it already");
    }
    let stops = if attached.stops == 1 { String::new() } else { format!(" in {} stops", attached.stops) };
    format!(
        "node {node}: process {pid} attached; {} stopped for {}{stops}",
        count(attached.threads, "thread", "threads"),
        short(attached.stopped)
    )
}

fn reply(node: &NodeName, made: bool, done: &Done, follower: Option<i32>) -> Reply {
    let failed: Vec<Value> =
        done.failed.iter().map(|(pid, why)| json!({ "pid": pid, "error": error_json(why) })).collect();
    let json = json!({
        "node": node,
        "made": made,
        "attached": done.attached.iter().map(to_json).collect::<Vec<_>>(),
        "failed": failed,
        "follower": follower,
    });
    let code = exit::worst(done.failed.iter().map(|(_, why)| why.kind()));
    Reply::done("", json).with_code(code)
}

fn to_json(attached: &Attached) -> Value {
    json!({
        "pid": attached.process.pid,
        "already": attached.already,
        "threads": attached.threads,
        "stops": attached.stops,
        "stopped_ns": attached.stopped.as_nanos(),
    })
}
