//! `falseticker report HISTORY`.

use std::path::PathBuf;

use falseticker::Result;
use falseticker::check::Chosen;
use falseticker::report::file::Target;
use falseticker::report::html::Html;
use falseticker::report::picture::{Png, Svg};
use falseticker::report::{Format, Report};
use serde_json::json;

use super::output::Reply;

const EXAMPLES: &str = "\
Examples:
  falseticker report h                           h.html, for a browser
  falseticker report h -o report.html --overwrite
  falseticker report h --svg h.svg --png h.png   pictures, and no HTML
  falseticker report h --rule lost-update        judged by a rule again
  falseticker report jepsen.edn                  Jepsen's, judged by every rule

The HTML is one file that needs no network: verdicts, each clock against true time, pauses, faults as they were planned and
applied, leases and leaders, operations and the ones that show a violation, and how soon each fault was read.

It shows the verdicts of the history; a rule that is named judges it again. A history without verdicts is judged by every rule
that needs nothing after its name. What is violated is no failure of this command: see check.
";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The history: a scenario's, or Jepsen's operations as lines of JSON or EDN
    #[arg(value_name = "HISTORY")]
    pub file: PathBuf,

    /// Write the page to FILE; HISTORY.html if no file is named at all
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Write a picture as SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// Write a picture as PNG
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,

    /// Judge it by this rule; may be repeated: see check
    #[arg(long, value_name = "RULE")]
    pub rule: Vec<Chosen>,

    /// Replace files that are there
    #[arg(long)]
    pub overwrite: bool,
}

/// Draws a history.
pub fn report(args: &Args) -> Result<Reply> {
    let report = Report::open(&args.file, &args.rule)?;
    let mut files = Vec::new();
    for (format, path) in args.files() {
        let target = Target::claim(&path, args.overwrite)?;
        let bytes = format.write(&report)?;
        target.write(&bytes)?;
        files.push((format.name(), path, bytes.len()));
    }
    let text: String = files.iter().map(|(_, path, _)| format!("{}\n", path.display())).collect();
    let files: Vec<_> = files
        .iter()
        .map(|(format, path, size)| json!({ "format": format, "path": path, "bytes": size }))
        .collect();
    Ok(Reply::done(text, json!({ "files": files, "checks": report.checks, "notes": report.notes })))
}

impl Args {
    /// What is written, and where.
    fn files(&self) -> Vec<(&'static dyn Format, PathBuf)> {
        let formats: [(&'static dyn Format, &Option<PathBuf>); 3] =
            [(&Html, &self.output), (&Svg, &self.svg), (&Png, &self.png)];
        let named: Vec<_> =
            formats.into_iter().filter_map(|(format, path)| Some((format, path.clone()?))).collect();
        if named.is_empty() {
            let mut path = self.file.clone().into_os_string();
            path.push(".html");
            return vec![(&Html, path.into())];
        }
        named
    }
}
