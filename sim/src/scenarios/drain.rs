//! Planned stops under load: what fits the grace period is finished, the rest handed back, and the
//! next process has the same port.

use super::{Playing, Scenario, parts};
use crate::world::World;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "drain",
    blueprint: parts::blueprint,
    play,
    by_sync: false,
};

fn play(world: World, _: u32) -> Playing {
    Box::pin(async move {
        let life = parts::ordinary(&world, 10, 3, parts::ALL_ROUTES);
        let chance = world.chance.fork();
        let mut left = 6;
        parts::meanwhile(life, || {
            left -= i32::from(left > 0);
            let (world, more) = (world.clone(), left > 0);
            let (wait, grace) = (chance.millis(0..=20_000), chance.millis(0..=30_000));
            async move {
                tokio::time::sleep(wait).await;
                if more {
                    // The config was fit for the first one.
                    _ = world.take_over(grace).await;
                }
            }
        })
        .await;
        if world.process().is_none() {
            world.start()?;
        }
        Ok(())
    })
}
