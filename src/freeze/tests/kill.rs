//! The controller killed at random instants: FALSETICKER_KILLS says how often. In every fourth round one guard is killed just
//! before it.

use super::*;

#[test]
fn a_controller_killed_at_any_instant_leaves_nothing_stopped() {
    let _alone = alone();
    let kills: u32 = std::env::var("FALSETICKER_KILLS").ok().map_or(25, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let targets: Vec<Target> = (0..8).map(|_| Target::sleeper()).collect();
    let ids: Vec<ProcessId> = targets.iter().map(|target| target.id).collect();
    let mut random = u64::try_from(host_clock::monotonic().as_nanos()).unwrap() | 1;
    let mut waits = Vec::new();
    let (mut with_guards, mut with_stopped) = (0, 0);
    for round in 0..kills {
        let before = ids.iter().copied().find(|id| is_stopped(*id));
        assert_eq!(before, None, "round {round} began with a stopped process");
        let mut controller = Target::helper("toggle", dir.path(), &ids);
        let held_by =
            |id| locks(dir.path()).map(|lock| lock.holders()).find(|holders| holders.controller == Some(id));
        until("the controller is at work", || held_by(controller.id).is_some());
        // Xorshift; a toggle takes some milliseconds.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        host_clock::sleep(Span::from_nanos(i64::try_from(random % 12_000_000).unwrap()));
        with_guards += u32::from(!nobody_holds_the_lock(dir.path()));
        if round % 4 == 0
            && let Some(guard) = held_by(controller.id).and_then(|holders| holders.guards.into_iter().next())
        {
            signal_to(guard, Signal::SIGKILL);
        }
        let killed = host_clock::monotonic();
        controller.signal(Signal::SIGKILL);
        with_stopped += u32::from(ids.iter().copied().any(is_stopped));
        controller.child.wait().unwrap();
        let stopped = || ids.iter().copied().find(|id| is_stopped(*id));
        until("all run again", || stopped().is_none());
        let wait = host_clock::monotonic().saturating_since(killed);
        // Whoever answers for the freeze is gone, and nobody was stopped after that.
        until("the guards leave", || nobody_holds_the_lock(dir.path()));
        assert_eq!(stopped(), None, "round {round}: stopped after all had run");
        assert_eq!(record(dir.path()).unwrap(), None, "round {round}: the record is left");
        waits.push(wait);
    }
    waits.sort_unstable();
    let (median, worst) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!(
        "{kills} kills of the controller ({with_guards} with guards, {with_stopped} with processes stopped): \
         all ran again after {:.1} ms (median), {:.1} ms (worst)",
        millis(median),
        millis(worst)
    );
    assert!(worst < Span::from_millis(100), "{worst:?}");
}
