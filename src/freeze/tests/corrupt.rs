//! Ledgers that hold anything at all: a sweep, a thaw and a look at them end, and touch nobody.

use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::super::ledger::Ledger;
use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_in_a_ledger_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..40_000), at in 12_u64..60_000) {
        let dir = tempfile::tempdir().unwrap();
        let slot = Slot::all().next().unwrap();
        let lock = Lock::create(dir.path(), slot).unwrap();
        Ledger::create(dir.path(), slot).unwrap().shared().publish();
        let file = std::fs::OpenOptions::new().write(true).open(slot.ledger(dir.path())).unwrap();
        file.write_all_at(&bytes, at).unwrap();
        drop(lock);
        let _ = records(dir.path());
        let _ = last(dir.path());
        let _ = sweep(dir.path());
        let _ = thaw(dir.path());
    }
}
