//! `falseticker leaseholder lock | storage | client`: the programs of `examples/leaseholder`, which this binary carries so that
//! `demo` needs nothing else. Not shown in `--help`.

#[path = "../../examples/leaseholder/mod.rs"]
mod programs;

use std::time::Duration;

use falseticker::{Error, Result, Span};

use super::output::Reply;
use super::values;

/// Its flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which of them
    #[command(subcommand)]
    pub program: Program,
}

/// The programs.
#[derive(Debug, clap::Subcommand)]
pub enum Program {
    /// The lock service
    Lock {
        /// Where it listens, on 127.0.0.1
        port: u16,
        /// How long its leases are
        #[arg(value_parser = values::length)]
        lease: Span,
    },
    /// The storage
    Storage {
        /// Where it listens, on 127.0.0.1
        port: u16,
        /// Refuse writes whose token is older than one that was seen
        #[arg(long)]
        fencing: bool,
    },
    /// A client
    Client {
        /// What it is called
        name: String,
        /// Where the lock service listens
        lock: u16,
        /// Where the storage listens
        storage: u16,
    },
}

/// Runs one of them until it is ended.
pub fn leaseholder(args: &Args) -> Result<Reply> {
    let ended = match &args.program {
        Program::Lock { port, lease } => {
            let nanos = u64::try_from(lease.as_nanos()).unwrap_or_default();
            programs::lock::run(*port, Duration::from_nanos(nanos))
        }
        Program::Storage { port, fencing } => programs::storage::run(*port, *fencing),
        Program::Client { name, lock, storage } => programs::client::run(name, *lock, *storage),
    };
    ended.map_err(|why| Error::not_applied(format_args!("run {:?}", args.program), why))?;
    Ok(Reply::verbatim(Vec::new()))
}
