//! The disk fills up, for seconds or minutes, and has room again.

use super::{Playing, Scenario, parts};
use crate::world::World;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "full_store",
    blueprint: parts::blueprint,
    play,
    by_sync: false,
};

fn play(world: World, _: u32) -> Playing {
    Box::pin(async move {
        let life = parts::ordinary(&world, 10, 3, parts::JOB_ROUTES);
        let chance = world.chance.fork();
        parts::meanwhile(life, || async {
            tokio::time::sleep(chance.millis(0..=8_000)).await;
            world.history.fault("the disk is full");
            world.platters.fill(true);
            tokio::time::sleep(chance.millis(0..=200_000)).await;
            world.history.fault("the disk has room");
            world.platters.fill(false);
            tokio::time::sleep(chance.seconds(0..=120)).await;
        })
        .await;
        Ok(())
    })
}
