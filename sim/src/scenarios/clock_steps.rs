//! The wall clock jumps, forwards and backwards, by milliseconds and by hours.

use super::{Playing, Scenario, parts};
use crate::world::World;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "clock_steps",
    blueprint: parts::blueprint,
    play,
    by_sync: false,
};

fn play(world: World, _: u32) -> Playing {
    Box::pin(async move {
        let life = parts::ordinary(&world, 10, 3, parts::JOB_ROUTES);
        let chance = world.chance.fork();
        parts::meanwhile(life, || async {
            tokio::time::sleep(chance.millis(0..=40_000)).await;
            let most = chance.one_of(&[5, 1_000, 60_000, 7_200_000]);
            let by = chance.within(0..=2 * most).cast_signed() - most.cast_signed();
            if let Some(process) = world.process() {
                // Never further off than that: it would be another day, with nothing new in it.
                if process.surroundings.off().as_millis() + u128::from(by.unsigned_abs())
                    > 7_200_000
                {
                    return;
                }
                world.history.fault(format!("the clock steps by {by} ms"));
                process.surroundings.step(by);
            }
        })
        .await;
        Ok(())
    })
}
