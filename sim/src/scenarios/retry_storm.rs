//! Clients that lose patience and ask again, and a backend that fails, falls and rises.

use super::{Playing, Scenario, parts};
use crate::world::World;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "retry_storm",
    blueprint: parts::blueprint,
    play,
    by_sync: false,
};

fn play(world: World, _: u32) -> Playing {
    Box::pin(async move {
        let storm = parts::crowd(&world, 10, |mut client, chance, number| async move {
            for time in 0..2 {
                let mut ask = parts::ask(&chance, parts::ALL_ROUTES, number * 2 + time);
                ask.patience = chance.seconds(1..=40);
                client.ask_until_done(&ask, 6).await;
            }
        });
        let chance = world.chance.fork();
        parts::meanwhile(storm, || async {
            tokio::time::sleep(chance.seconds(1..=60)).await;
            world.history.fault("the backend falls");
            world.backend.fall();
            tokio::time::sleep(chance.seconds(0..=20)).await;
            world.history.fault("the backend is back");
            world.backend.rise();
        })
        .await;
        world.backend.rise();
        Ok(())
    })
}
