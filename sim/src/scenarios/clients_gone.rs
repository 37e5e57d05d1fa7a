//! Clients that leave: before the hold ends, at its end, in the middle of an answer.

use super::{Playing, Scenario, parts};
use crate::world::World;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "clients_gone",
    blueprint: parts::blueprint,
    play,
    by_sync: false,
};

fn play(world: World, _: u32) -> Playing {
    Box::pin(async move {
        parts::crowd(&world, 16, |mut client, chance, number| async move {
            for time in 0..3 {
                let mut ask = parts::ask(&chance, parts::ALL_ROUTES, number * 3 + time);
                ask.patience = match chance.within(0..=2) {
                    0 => chance.millis(0..=100),
                    1 => chance.millis(900..=5_100),
                    _ => chance.seconds(0..=100),
                };
                client.ask_to_end(&ask).await;
            }
        })
        .await;
        Ok(())
    })
}
