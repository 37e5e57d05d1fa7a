//! The process dies at one sync of its disk, before or after it: there is a variant for each. The
//! next ones die soon after, while they still clean up.

use super::{Playing, Scenario, parts};
use crate::disk::CrashPoint;
use crate::world::World;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "crash_commit",
    blueprint: parts::blueprint,
    play,
    by_sync: true,
};

fn play(world: World, variant: u32) -> Playing {
    Box::pin(async move {
        if let Some(variant) = variant.checked_sub(1) {
            let first = CrashPoint {
                sync: u64::from(variant / 2) + 1,
                after: variant % 2 == 1,
            };
            let mut crashes = vec![first];
            let mut sync = first.sync;
            for _ in 0..world.chance.within(1..=6) {
                sync += world.chance.within(1..=6);
                let after = world.chance.percent(50);
                crashes.push(CrashPoint { sync, after });
            }
            world.platters.faults().crashes = crashes;
        }
        parts::ordinary(&world, 6, 2, parts::JOB_ROUTES).await;
        Ok(())
    })
}
