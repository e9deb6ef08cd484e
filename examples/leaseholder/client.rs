//! A client. As long as its lease is good, by its own wall clock, it reads the number and writes one more.

use std::io;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{Server, number, tell};

/// How long a document is. To write it takes as long as so many acknowledgements.
const PAGES: u32 = 3_000;

/// Works for ever.
pub fn run(name: &str, lock: u16, storage: u16) -> io::Result<()> {
    let (mut lock, mut storage) = (Server::connect(lock)?, Server::connect(storage)?);
    loop {
        tell("acquire", "invoke", name, json!(null), json!({}));
        let granted = lock.ask("acquire")?;
        let mut granted = granted.split_whitespace();
        let (token, lease): (u64, u64) = (number(granted.next().as_ref())?, number(granted.next().as_ref())?);
        // A fifth of the lease is kept for what is under way when it ends, and for the time that the answer took.
        let until = SystemTime::now() + Duration::from_millis(lease - lease / 5);
        tell("acquire", "ok", name, token, json!({}));
        while work(name, &mut storage, token, until)? {}
        tell("release", "invoke", name, token, json!({}));
        lock.ask(&format!("release {token}"))?;
        tell("release", "ok", name, token, json!({}));
    }
}

/// Counts one up; false if the lease is over, or was for the storage.
fn work(name: &str, storage: &mut Server, token: u64, until: SystemTime) -> io::Result<bool> {
    let value: u64 = number(Some(&storage.ask(&format!("read {name} {token}"))?.as_str()))?;
    if SystemTime::now() >= until {
        return Ok(false);
    }
    tell("hold", "ok", name, token, json!({}));
    for page in 1..=PAGES {
        let answer = storage.ask(&format!("write {name} {} {token} {page} {PAGES}", value + 1))?;
        if answer != "ok" {
            return Ok(false);
        }
    }
    Ok(true)
}
