//! Verdicts as JUnit's XML, for what shows tests: each a test case.
//!
//! | verdict | test case |
//! | --- | --- |
//! | `holds` | passed |
//! | `violated` | a failure, with why, and the witness as its text |
//! | `unknown` | skipped, with why |
//!
//! What must hold: nothing passes that does not hold; a scenario that was interrupted is an error.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::error::{Error, Result};
use crate::history::{Check, Verdict, verdict};

/// What the errors say of a scenario that did not run to its end.
const INTERRUPTED: &str = "it was interrupted, and nothing was judged";

/// The XML of some verdicts; `name` is what they are about, and witnesses are told from `start_ns`.
pub fn xml(name: &str, checks: &[Check], start_ns: Option<i64>, interrupted: bool) -> Result<Vec<u8>> {
    let mut suite = TestSuite::new(name);
    for check in checks {
        suite.add_test_case(case(name, check, start_ns));
    }
    if interrupted {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(INTERRUPTED);
        suite.add_test_case(TestCase::new("complete", status));
    }
    let mut report = Report::new("falseticker");
    report.add_test_suite(suite);
    let text = report.to_string();
    text.map(String::into_bytes).map_err(|why| Error::not_applied("write the verdicts as JUnit's XML", why))
}

fn case(name: &str, check: &Check, start_ns: Option<i64>) -> TestCase {
    let why = check.why.join("; ");
    let status = match check.verdict {
        Verdict::Holds => TestCaseStatus::success(),
        Verdict::Violated => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(why).set_type("violated").set_description(verdict(check, start_ns));
            status
        }
        Verdict::Unknown => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why).set_type("unknown");
            status
        }
    };
    let mut case = TestCase::new(check.check.as_str(), status);
    case.set_classname(name);
    case
}
