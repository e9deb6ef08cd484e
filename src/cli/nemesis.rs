//! `falseticker nemesis --duration SPAN --nodes a,b,c`.

use std::path::{Path, PathBuf};

use falseticker::freeze::shape::Seed;
use falseticker::nemesis::{Fault, Intensity, Nemesis, generate};
use falseticker::node::NodeName;
use falseticker::scenario::file::timeline;
use falseticker::units::format_span;
use falseticker::{Error, Result, Span};
use serde_json::json;

use super::output::Reply;
use super::values;

const EXAMPLES: &str = "\
Examples:
  falseticker nemesis --duration 60s --nodes a,b,c --seed 7    print a timeline
  falseticker nemesis --duration 10m --nodes a,b --mix jump,freeze -o t.toml
  falseticker nemesis --duration 60s --nodes a,b --max-skew 500ms
  falseticker play lease.toml --nemesis-seed 7                 play one at once

The same seed and version give the same text, byte for byte. It is the timeline of a scenario: put [scenario] and \
[nodes] before it.
";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// How long the scenario is
    #[arg(long, value_name = "SPAN", value_parser = values::length)]
    pub duration: Span,

    /// Its nodes
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    pub nodes: Vec<NodeName>,

    /// What everything is drawn from; told in the first line
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Of which faults; without it all but suspend, which needs nodes made with monotonic = true
    #[arg(long, value_name = "FAULTS", value_enum, value_delimiter = ',')]
    pub mix: Vec<Fault>,

    /// How many: one every 10 s, 4 s or 1.5 s on average
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub intensity: Intensity,

    /// Never let two nodes' wall clocks be further apart than SPAN
    #[arg(long, value_name = "SPAN", value_parser = values::length)]
    pub max_skew: Option<Span>,

    /// Fault any number of nodes at once, not a minority of them at most
    #[arg(long)]
    pub majority: bool,

    /// Let nothing be in force for the last SPAN; a fifth of the duration without it
    #[arg(long, value_name = "SPAN", value_parser = values::limit)]
    pub quiet: Option<Span>,

    /// Write it to FILE, which must not exist
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Draws a timeline.
pub fn nemesis(args: &Args) -> Result<Reply> {
    let seed = args.seed.unwrap_or_else(|| Seed::fresh().0);
    let nemesis = Nemesis {
        seed: Some(seed),
        mix: args.mix.clone(),
        intensity: args.intensity,
        max_skew: args.max_skew,
        minority: args.majority.then_some(false),
        quiet: args.quiet,
    };
    let nodes: Vec<String> = args.nodes.iter().map(ToString::to_string).collect();
    let mut names = nodes.clone();
    names.sort();
    names.dedup();
    if names.len() != nodes.len() {
        return Err(
            Error::bad_input("draw a timeline", "a node is named twice").remedy("name each node once")
        );
    }
    let drawn = generate(&nemesis, seed, args.duration, &nodes)?;
    let head = format!(
        "# falseticker nemesis: seed {seed}, {} over {}\n\n",
        format_span(args.duration),
        nodes.join(" ")
    );
    let text = head + &timeline(&drawn)?;
    match &args.output {
        None => Ok(Reply::verbatim(text)),
        Some(path) => {
            write_new(path, &text)?;
            let said = format!("{}: {} entries, seed {seed}", path.display(), drawn.len());
            Ok(Reply::done(said, json!({ "file": path, "seed": seed, "entries": drawn.len() })))
        }
    }
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    let refused = |why: std::io::Error| {
        let error = Error::bad_input(format_args!("write {}", path.display()), &why);
        if why.kind() == std::io::ErrorKind::AlreadyExists {
            error.remedy("choose another name")
        } else {
            error
        }
    };
    let mut file = std::fs::File::create_new(path).map_err(refused)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(refused)
}
