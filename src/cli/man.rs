//! `falseticker man [COMMAND]`: the manual pages, made from the same grammar as `--help`.

use clap::{Command, CommandFactory};
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
    let more =
        page.get_after_long_help().or(page.get_after_help()).map(ToString::to_string).unwrap_or_default();
    let mut roff = render(page).map_err(|why| Error::not_applied("print the manual page", why))?;
    roff.extend(sections(&more).into_bytes());
    Ok(Reply::verbatim(roff))
}

/// What the grammar says; what stands behind the options in `--help` would be filled and lose its columns.
fn render(page: Command) -> std::io::Result<Vec<u8>> {
    let subcommands = page.has_subcommands();
    let page = Man::new(page).source(concat!("falseticker ", env!("CARGO_PKG_VERSION")));
    let mut roff = Vec::new();
    page.render_title(&mut roff)?;
    page.render_name_section(&mut roff)?;
    page.render_synopsis_section(&mut roff)?;
    page.render_description_section(&mut roff)?;
    page.render_options_section(&mut roff)?;
    if subcommands {
        page.render_subcommands_section(&mut roff)?;
    }
    Ok(roff)
}

/// The rest of `--help`: a paragraph that a title with a colon heads is a section, its lines kept as they are.
fn sections(text: &str) -> String {
    let mut roff = String::new();
    for paragraph in text.trim().split("\n\n") {
        match paragraph.split_once(":\n") {
            Some((title, lines)) if !title.contains('\n') => {
                roff.push_str(&format!(".SH {}\n.nf\n", escaped(&title.to_uppercase())));
                roff.extend(lines.lines().map(|line| escaped(line) + "\n"));
                roff.push_str(".fi\n");
            }
            _ => roff.push_str(&format!(".PP\n{}\n", escaped(paragraph))),
        }
    }
    roff
}

/// Text that roff prints as it is.
fn escaped(text: &str) -> String {
    let plain = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if plain.starts_with('.') { format!("\\&{plain}") } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_quotes_survive() {
        let roff = sections("Examples:\n  a -1   b\\c\n  'd'\n\nSome words.\n");
        assert_eq!(roff, ".SH EXAMPLES\n.nf\n  a \\-1   b\\ec\n  \\(aqd\\(aq\n.fi\n.PP\nSome words.\n");
        assert_eq!(escaped(".x"), "\\&.x");
    }
}
