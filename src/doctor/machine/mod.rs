//! What this machine allows this user, a file a matter.

mod filters;
mod kernel;
mod pauses;
mod places;
mod tracing;
mod vdso;

use super::Finding;
pub(super) use kernel::moved;

/// Looks at everything, what matters most first.
#[must_use]
pub fn machine() -> Vec<Finding> {
    vec![
        kernel::version(),
        places::proc(),
        places::nodes(),
        vdso::code(),
        tracing::tracing(),
        filters::following(),
        pauses::groups(),
        pauses::priority(),
        kernel::time_namespace(),
    ]
}
