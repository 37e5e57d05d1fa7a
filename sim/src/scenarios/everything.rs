//! All troubles at once, in an order that chance decides.

use tokio::time::Instant;

use super::{Playing, Scenario, parts};
use crate::chance::Chance;
use crate::world::World;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "everything",
    blueprint: parts::blueprint,
    play,
    by_sync: false,
};

fn play(world: World, _: u32) -> Playing {
    Box::pin(async move {
        let life = parts::crowd(&world, 14, |mut client, chance, number| async move {
            for time in 0..3 {
                let mut ask = parts::ask(&chance, parts::ALL_ROUTES, number * 3 + time);
                if chance.percent(30) {
                    ask.patience = chance.seconds(0..=60);
                }
                client.ask_until_done(&ask, 4).await;
            }
        });
        let chance = world.chance.fork();
        let mut left = 20;
        parts::meanwhile(life, || {
            left -= i32::from(left > 0);
            let (world, chance, more) = (world.clone(), chance.clone(), left > 0);
            async move {
                tokio::time::sleep(chance.millis(0..=15_000)).await;
                if more {
                    trouble(&world, &chance).await;
                }
            }
        })
        .await;
        world.backend.rise();
        if world.process().is_none() {
            world.start()?;
        }
        Ok(())
    })
}

async fn trouble(world: &World, chance: &Chance) {
    match chance.within(0..=5) {
        0 => {
            if let Some(process) = world.process() {
                world.crash(&process.host);
            }
        }
        1 => {
            world.history.fault("the disk is full");
            world.platters.fill(true);
            tokio::time::sleep(chance.seconds(0..=60)).await;
            world.history.fault("the disk has room");
            world.platters.fill(false);
        }
        2 => world.platters.faults().fails_next = Some(chance.percent(50)),
        3 => {
            let stall = chance.seconds(0..=60);
            world
                .history
                .fault(format!("the disk stalls for {stall:?}"));
            world.platters.faults().stalled_until = Some(Instant::now() + stall);
        }
        4 => {
            world.history.fault("the backend falls");
            world.backend.fall();
            tokio::time::sleep(chance.seconds(0..=20)).await;
            world.history.fault("the backend is back");
            world.backend.rise();
        }
        // The config was fit for the first one.
        _ => _ = world.take_over(chance.seconds(0..=20)).await,
    }
}
