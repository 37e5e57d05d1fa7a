//! A process stands still for longer than its leases last. Another takes over its jobs; then the
//! first goes on, and believes that no time has passed.

use super::{Playing, Scenario, parts};
use crate::world::World;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "frozen",
    blueprint: parts::blueprint,
    play,
    by_sync: false,
};

fn play(world: World, _: u32) -> Playing {
    Box::pin(async move {
        let life = parts::ordinary(&world, 8, 3, parts::JOB_ROUTES);
        let chance = world.chance.fork();
        let mut left = 4;
        parts::meanwhile(life, || {
            left -= i32::from(left > 0);
            let (world, chance, more) = (world.clone(), chance.clone(), left > 0);
            async move {
                tokio::time::sleep(chance.millis(10..=30_000)).await;
                if more {
                    freeze(&world, &chance).await;
                }
            }
        })
        .await;
        Ok(())
    })
}

async fn freeze(world: &World, chance: &crate::chance::Chance) {
    let Some(process) = world.process() else {
        return;
    };
    world.history.fault("the process freezes");
    process.host.freeze();
    tokio::time::sleep(chance.seconds(1..=100)).await;
    // The config was fit for the first one.
    _ = world.start();
    tokio::time::sleep(chance.seconds(0..=100)).await;
    world.history.fault("the frozen process goes on");
    process.host.thaw();
    tokio::time::sleep(chance.seconds(0..=60)).await;
    world.history.fault("the process that had frozen is killed");
    process.host.kill();
    tokio::spawn(process.bury());
    // Leases are in memory and a store has one process, but for this scenario. What the first one
    // began without the second knowing of it is found by the next that opens the store.
    if let Some(second) = world.process() {
        world.crash(&second.host);
    }
}
