//! Syncs that take minutes: across the end of a hold, of a lease, of a client's patience.

use tokio::time::Instant;

use super::{Playing, Scenario, parts};
use crate::world::World;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stalled_store",
    blueprint: parts::blueprint,
    play,
    by_sync: false,
};

fn play(world: World, _: u32) -> Playing {
    Box::pin(async move {
        let life = parts::crowd(&world, 10, |mut client, chance, number| async move {
            for time in 0..3 {
                let mut ask = parts::ask(&chance, parts::JOB_ROUTES, number * 3 + time);
                ask.patience = chance.seconds(1..=300);
                client.ask_to_end(&ask).await;
            }
        });
        let chance = world.chance.fork();
        parts::meanwhile(life, || async {
            tokio::time::sleep(chance.millis(0..=10_000)).await;
            let stall = chance.millis(0..=150_000);
            world
                .history
                .fault(format!("the disk stalls for {stall:?}"));
            world.platters.faults().stalled_until = Some(Instant::now() + stall);
            tokio::time::sleep(stall).await;
        })
        .await;
        Ok(())
    })
}
