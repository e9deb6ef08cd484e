//! `falseticker completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;
use falseticker::Result;

use super::args::Cli;
use super::output::Reply;

const EXAMPLES: &str = "\
Examples:
  source <(falseticker completions bash)
  falseticker completions zsh > \"${fpath[1]}/_falseticker\"
  falseticker completions fish | source";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// Prints a completion script.
pub fn completions(args: &Args) -> Result<Reply> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "falseticker", &mut script);
    Ok(Reply::verbatim(script))
}
