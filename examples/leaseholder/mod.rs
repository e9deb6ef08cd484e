//! The paused leaseholder: a lock service, a storage, and clients that read, modify and write; one process each.
//!
//! A client takes a lease on the lock, and while the lease is good it reads a number from the storage and writes one more. Only the
//! holder of the lease writes, so no write is ever lost. That is the idea.
//!
//! But a client can know that its lease is good only at the instant at which it looks at its clock. If it is paused after that look (by a
//! garbage collection, a page fault, the migration of its virtual machine), or if its clock is wrong, then the lease runs out,
//! somebody else is given it, and writes; and the client, which knows nothing of it, finishes its write over that one.
//! No look at a clock can help, since there is always a "right after it".
//!
//! The remedy is a **fencing token**: each lease has a number greater than all before it, it is sent along with every read and write, and
//! the storage refuses a write whose token is older than one that it has seen. (Seen with reads, too: else who has read, and is about to
//! write, could still be overtaken by an older one, and would write over that.) In the sources that is one condition, in
//! [`storage`]; nothing else differs between the two variants. Two clients may still *believe* at one time that they hold the lease; only
//! that no longer matters.
//!
//! Source: M. Kleppmann, [How to do distributed locking](https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html),
//! 2016; *Designing Data-Intensive Applications*, chapter 8.

pub mod client;
pub mod lock;
pub mod storage;

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use nix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Answers each line of each connection, a thread a connection.
fn serve(port: u16, answer: impl Fn(&[&str]) -> String + Sync) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    std::thread::scope(|scope| {
        loop {
            let (stream, _) = listener.accept()?;
            let answer = &answer;
            // A client that goes away ends its thread, and nothing else.
            scope.spawn(move || converse(stream, answer));
        }
    })
}

fn converse(stream: TcpStream, answer: impl Fn(&[&str]) -> String) -> io::Result<()> {
    stream.set_nodelay(true)?;
    for line in BufReader::new(&stream).lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        (&stream).write_all(format!("{}\n", answer(&words)).as_bytes())?;
    }
    Ok(())
}

/// The other end of a connection.
struct Server(BufReader<TcpStream>);

impl Server {
    fn connect(port: u16) -> io::Result<Server> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        Ok(Server(BufReader::new(stream)))
    }

    /// Sends a line, and waits for the answer.
    fn ask(&mut self, line: &str) -> io::Result<String> {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes())?;
        let mut answer = String::new();
        match self.0.read_line(&mut answer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(answer.trim_end().to_owned()),
        }
    }
}

/// Prints an operation as a line of JSON, with the instant by this program's own CLOCK_MONOTONIC.
fn tell(op: &str, phase: &str, process: &str, value: impl Into<Value>, fields: Value) {
    let now =
        clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| now.tv_sec() * 1_000_000_000 + now.tv_nsec());
    let mut line =
        json!({"op": op, "phase": phase, "process": process, "value": value.into(), "mono_ns": now});
    if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
        line.extend(fields);
    }
    println!("{line}");
}

/// What was said, where it must be a number.
fn number<T: std::str::FromStr>(word: Option<&&str>) -> io::Result<T> {
    word.and_then(|word| word.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
