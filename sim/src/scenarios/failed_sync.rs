//! A sync fails: what it was to make durable may be there or not, nobody is told that it is, and
//! the process ends itself.

use super::{Playing, Scenario, parts};
use crate::world::World;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "failed_sync",
    blueprint: parts::blueprint,
    play,
    by_sync: false,
};

fn play(world: World, _: u32) -> Playing {
    Box::pin(async move {
        let life = parts::ordinary(&world, 10, 3, parts::JOB_ROUTES);
        let chance = world.chance.fork();
        let mut left = 6;
        parts::meanwhile(life, || {
            let (wait, survives) = (chance.millis(0..=20_000), chance.percent(50));
            left -= i32::from(left > 0);
            let (world, more) = (world.clone(), left > 0);
            async move {
                tokio::time::sleep(wait).await;
                if more {
                    world.platters.faults().fails_next = Some(survives);
                }
            }
        })
        .await;
        Ok(())
    })
}
