//! `falseticker env NODE`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use falseticker::node::NodeName;
use falseticker::{Node, Result};
use serde_json::{Map, Value, json};

use super::output::Reply;

const EXAMPLES: &str = "\
Examples:
  falseticker env a > a.env                 for systemd's EnvironmentFile=
  eval \"$(falseticker env a --export)\"      all that this shell starts
  env $(falseticker env a) COMMAND          one command

An LD_PRELOAD that is set is kept, behind the shim. Programs that the shim does not reach (static ones, say) read \
true time all the same: `falseticker status a` shows who is reached; `falseticker run` reaches most of them.";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    /// Print commands for a shell instead: export KEY='VALUE'
    #[arg(long)]
    pub export: bool,
}

/// Prints the variables that put a process into a node.
pub fn env(args: &Args) -> Result<Reply> {
    let node = Node::open(args.node.as_str())?;
    let variables = node.env(std::env::var_os("LD_PRELOAD").as_deref());
    let line = if args.export { export } else { assign };
    let text: Vec<u8> = variables.iter().flat_map(line).collect();
    let json: Map<String, Value> = variables
        .iter()
        .map(|(key, value)| (key.to_string_lossy().into_owned(), value.to_string_lossy().into()))
        .collect();
    Ok(Reply::done(text, json!({ "node": node.name(), "env": json })))
}

fn assign((key, value): &(OsString, OsString)) -> Vec<u8> {
    [key.as_bytes(), b"=", value.as_bytes(), b"\n"].concat()
}

fn export((key, value): &(OsString, OsString)) -> Vec<u8> {
    [b"export ", key.as_bytes(), b"=", &quoted(value), b"\n"].concat()
}

/// A value that any shell takes as it is.
fn quoted(value: &OsStr) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for &byte in value.as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            _ => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_a_quoted_value_as_it_is() {
        for value in ["", "/dev/shm/a.so", "a b:c", "it's", "''", "$(touch x) `y` \\ \" \n!"] {
            let line = export(&("KEY".into(), value.into()));
            let script = format!("{}printf %s \"$KEY\"", String::from_utf8(line).unwrap());
            let shell = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
            assert_eq!(String::from_utf8(shell.stdout).unwrap(), value);
        }
    }

    #[test]
    fn an_assignment_is_a_line() {
        assert_eq!(assign(&("LD_PRELOAD".into(), "/x.so".into())), b"LD_PRELOAD=/x.so\n");
    }
}
