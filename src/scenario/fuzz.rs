//! What a fuzzer does with any bytes; see `fuzz/`. It has a place here so that the tests run it too.

use super::{dry_run, file};

/// Any text is a scenario or an error with a place; a scenario is written and read back the same, and what it comes to is a
/// timeline or an error.
pub fn one(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let scenario = match file::parse(text, "fuzz") {
        Ok(scenario) => scenario,
        Err(error) => {
            assert!(error.to_string().contains("line "), "{error}");
            return;
        }
    };
    let written = scenario.to_toml().expect("a scenario can be written");
    let read = file::parse(&written, "written").unwrap_or_else(|why| panic!("{why}\n{written}"));
    assert_eq!(read, scenario, "{written}");
    // What comes again every nanosecond is refused, but only after a million of them.
    if scenario.timeline.len() < 100 {
        let drawn = dry_run(&scenario, 1).map(|drawn| drawn.text());
        assert_eq!(drawn.is_ok(), dry_run(&scenario, 1).is_ok());
    }
}
