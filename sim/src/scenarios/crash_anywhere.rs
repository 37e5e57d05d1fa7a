//! The process dies again and again, whatever it is doing.

use super::{Playing, Scenario, parts};
use crate::world::World;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "crash_anywhere",
    blueprint: parts::blueprint,
    play,
    by_sync: false,
};

fn play(world: World, _: u32) -> Playing {
    Box::pin(async move {
        let life = parts::ordinary(&world, 10, 3, parts::ALL_ROUTES);
        let chance = world.chance.fork();
        let mut left = 40;
        parts::meanwhile(life, || {
            let wait = match chance.within(0..=9) {
                0..=4 => chance.millis(0..=50),
                5..=8 => chance.millis(0..=1_000),
                _ => chance.seconds(0..=30),
            };
            left -= i32::from(left > 0);
            let (world, more) = (world.clone(), left > 0);
            async move {
                tokio::time::sleep(wait).await;
                if let Some(process) = world.process().filter(|_| more) {
                    world.crash(&process.host);
                }
            }
        })
        .await;
        Ok(())
    })
}
