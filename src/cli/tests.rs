//! From command lines to requests, without touching the system.

use clap::CommandFactory;

use super::args::Cli;

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
}
