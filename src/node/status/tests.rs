//! What a process's row says, as status tells it.

use std::io::{Read, Write};
use std::process::Stdio;

use falseticker_page::evidence::{State, Waits};

use super::*;
use crate::node::Kind;

#[test]
fn a_process_tells_how_its_waits_follow_and_what_it_was_refused() {
    let name = format!("status-{}", std::process::id());
    let kind = Kind { made_by: MadeBy::Create, monotonic: false, share: false, allow_settime: false };
    let node = Node::make(&name.parse().unwrap(), kind).unwrap();
    let mut program = node.command("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Once it answers it has taken its row.
    program.stdin.as_mut().unwrap().write_all(b"!").unwrap();
    program.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let row = node.evidence.heads.iter().position(|head| head.state() == State::Live(program.id()));
    node.evidence.count_refused_setting(row);
    node.evidence.count_refused_setting(None);
    for (waits, name, refused) in [
        (Waits::None, "none", None),
        (Waits::Kicked, "kicked", None),
        (Waits::Sliced(1), "sliced", Some("EPERM")),
        (Waits::Sliced(9999), "sliced", Some("errno 9999")),
    ] {
        node.evidence.note_waits(row.unwrap(), waits);
        let status = status(&node).unwrap();
        let [process] = status.processes.as_slice() else { panic!("{status:?}") };
        assert_eq!((process.waits, process.waits_refused.as_deref()), (name, refused));
        assert_eq!((process.refused_settings, status.refused_settings), (1, 2));
    }
    program.kill().unwrap();
    program.wait().unwrap();
    node.remove().unwrap();
}
