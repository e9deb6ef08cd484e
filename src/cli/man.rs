//! `falseticker man [COMMAND]`: the manual pages, made from the same grammar as `--help`.

use clap::CommandFactory;
use clap_mangen::Man;
use falseticker::{Error, Result};

use super::args::Cli;
use super::output::Reply;

const EXAMPLES: &str = "\
Examples:
  falseticker man | man -l -                read it
  falseticker man run | man -l -            that of one command
  falseticker man > falseticker.1           install it";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The command whose page is printed; without it, the page of falseticker
    #[arg(value_name = "COMMAND")]
    pub of: Option<String>,
}

/// Prints a manual page.
pub fn man(args: &Args) -> Result<Reply> {
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    let page = match &args.of {
        None => cli,
        Some(name) => {
            let found = cli.get_subcommands().find(|command| command.get_name() == name).cloned();
            found.ok_or_else(|| {
                Error::bad_input(format_args!("print the page of {name}"), "there is no such command")
                    .remedy("falseticker --help lists the commands")
            })?
        }
    };
    let mut roff = Vec::new();
    Man::new(page).render(&mut roff).map_err(|why| Error::not_applied("print the manual page", why))?;
    Ok(Reply::verbatim(roff))
}
