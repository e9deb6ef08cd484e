//! The command lines of README and guide can be parsed, the scenarios in them are scenarios, and their links lead to files.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use falseticker::scenario::{dry_run, file};
use regex::Regex;

use super::usage;

const FENCE: &str = "```";

/// README and the pages of the guide: name and text.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_dir(root.join("src/guide")).expect("the guide is there");
    let pages = guide
        .map(|entry| entry.expect("a page").path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"));
    let all = pages.chain([root.join("README.md")]);
    all.map(|path| {
        let text = std::fs::read_to_string(&path).expect("a page can be read");
        (path.display().to_string(), text)
    })
    .collect()
}

/// The blocks of code of this language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("{FENCE}{language}\n");
    text.split(&open).skip(1).filter_map(|rest| rest.split(FENCE).next()).collect()
}

/// What a shell makes words of, up to a comment or to another command.
fn words(line: &str) -> Vec<OsString> {
    let without = line.split(" #").next().unwrap_or(line).split(" | ").next().unwrap_or(line);
    let without = without.trim_end_matches('&').replace("$(pidof nginx)", "4242");
    shell_words::split(&without)
        .unwrap_or_else(|why| panic!("{line}: {why}"))
        .into_iter()
        .map(Into::into)
        .collect()
}

#[test]
fn every_command_line_can_be_parsed() {
    let mut commands = BTreeSet::new();
    for (page, text) in pages() {
        for line in blocks(&text, "sh")
            .into_iter()
            .flat_map(str::lines)
            .filter(|line| line.starts_with("falseticker "))
        {
            let words = words(line);
            commands.insert(words[1].clone());
            match usage::parse(&words) {
                Ok(_) => {}
                Err(usage::Stop::Printed(_)) => panic!("{page}: {line}: it prints help"),
                Err(usage::Stop::Refused { error, .. }) => panic!("{page}: {line}: {error}"),
            }
        }
    }
    // None of the commands that somebody steers by is without an example.
    for name in [
        "run", "jump", "set", "drift", "slew", "stall", "strobe", "leap", "freeze", "suspend", "heal",
        "play", "report",
    ] {
        assert!(commands.contains(&OsString::from(name)), "{name}: {commands:?}");
    }
}

#[test]
fn every_command_of_the_table_of_faults_can_be_parsed() {
    let (_, readme) = pages().pop().expect("the README comes last");
    let rows = readme.lines().filter(|line| line.starts_with("| `") && line.contains("`falseticker "));
    let examples: Vec<&str> =
        rows.filter_map(|row| row.split("`falseticker ").nth(1)?.split('`').next()).collect();
    assert!(examples.len() >= 9, "{examples:?}");
    for example in examples {
        let line = format!("falseticker {example}");
        assert!(usage::parse(&words(&line)).is_ok(), "{line}");
    }
}

#[test]
fn every_scenario_is_one() {
    let mut scenarios = 0;
    for (page, text) in pages() {
        for block in blocks(&text, "toml").into_iter().filter(|block| block.contains("[scenario]")) {
            let scenario = file::parse(block, &page).unwrap_or_else(|why| panic!("{why}"));
            dry_run(&scenario, 7).unwrap_or_else(|why| panic!("{page}: {why}"));
            scenarios += 1;
        }
    }
    assert!(scenarios > 0);
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    // In brackets after its text, or where a page defines its names.
    let link = Regex::new(r"(?m)\]\(([^)\s]+)\)|^\[[a-z]+\]: (\S+)$").expect("an expression");
    let mut links = 0;
    for (page, text) in pages() {
        let beside = Path::new(&page).parent().expect("a directory");
        for found in link.captures_iter(&text) {
            let to = found.get(1).or(found.get(2)).expect("one of them").as_str();
            if to.starts_with("https://") {
                continue;
            }
            assert!(beside.join(to).exists(), "{page}: {to} is not there");
            links += 1;
        }
    }
    assert!(links > 20, "{links}");
}
