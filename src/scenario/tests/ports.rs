//! Ports by name.

use std::net::{Ipv4Addr, TcpListener};

use super::super::ports::draw;
use super::{Port, Scenario, Who, parse};

const NAMED: &str = r#"
[scenario]
name = "named"
duration = "5s"
ports = ["store", "b-2"]

[nodes.store]
command = ["./store", "--listen", "127.0.0.1:{store.port}", "{store}.port", "awk '{ print }'"]
env = { OTHER = "{b-2.port}" }
ready = { port = "store" }

[[timeline]]
after = { connect = "store", node = "store" }
node = { command = "who {b-2.port}" }
freeze = { for = "1s" }

[[timeline]]
at = "1s"
run = "block {store.port}"
undo = "unblock {store.port}"
"#;

fn store(scenario: &Scenario) -> u16 {
    scenario.nodes["store"].ready.as_ref().unwrap().port.as_ref().unwrap().number().unwrap()
}

#[test]
fn a_name_is_one_free_port_wherever_it_stands() {
    let scenario = parse(NAMED).unwrap();
    let drawn = draw(&scenario).unwrap();
    let port = store(&drawn);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("it is free");
    let program = &drawn.nodes["store"];
    assert_eq!(
        program.command[2..],
        [format!("127.0.0.1:{port}"), "{store}.port".to_owned(), "awk '{ print }'".to_owned()]
    );
    let other: u16 = program.env["OTHER"].parse().expect("a number");
    assert_ne!(other, port);
    assert_eq!(drawn.timeline[0].who, Some(Who::Named { command: format!("who {other}") }));
    let text = drawn.to_toml().unwrap();
    for said in [format!("connect = {port}"), format!("block {port}"), format!("unblock {port}")] {
        assert!(text.contains(&said), "{said}: {text}");
    }
    // A number is one that may be written in the file, and no name is left.
    assert_eq!(draw(&drawn).unwrap().nodes, drawn.nodes);
}

#[test]
fn each_play_has_ports_of_its_own() {
    let scenario = parse(NAMED).unwrap();
    let ports: std::collections::BTreeSet<u16> = (0..20).map(|_| store(&draw(&scenario).unwrap())).collect();
    assert!(ports.len() > 10, "{ports:?}");
}

#[test]
fn a_port_that_was_not_drawn_is_no_number() {
    let error = Port::from("store").number().unwrap_err();
    assert!(error.to_string().contains("it was not drawn"), "{error}");
}

#[test]
fn names_that_are_not_there_are_refused_with_their_place() {
    let refused = |old: &str, new: &str, why: &str| {
        assert!(NAMED.contains(old), "{old}");
        let error = parse(&NAMED.replacen(old, new, 1)).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("line "), "{error}");
        error
    };
    let error = refused("{b-2.port}", "{b2.port}", "there is no port 'b2'");
    assert!(error.contains("OTHER"), "{error}");
    refused("port = \"store\"", "port = \"stor\"", "there is no port 'stor'");
    refused("connect = \"store\"", "connect = \"c\"", "there is no port 'c'");
    refused("unblock {store.port}", "unblock {x.port}", "there is no port 'x'");
    refused("who {b-2.port}", "who {x.port}", "there is no port 'x'");
    refused("\"b-2\"", "\"store\"", "port 'store' is there twice");
    refused("\"b-2\"", "\"b 2\"", "a port's name has letters");
    refused("port = \"store\"", "port = true", "write a port's number");
}
