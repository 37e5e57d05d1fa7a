//! Answers that take hours, piece by piece, with silence in between; some never come to their end.

use http::Method;

use super::{Playing, Scenario, parts};
use crate::backend::{End, Script};
use crate::chance::Chance;
use crate::client::Ask;
use crate::world::World;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "slow_stream",
    blueprint: parts::blueprint,
    play,
    by_sync: false,
};

fn ask(chance: &Chance, intent: u32) -> Ask {
    let pieces = chance.one_of(&[2, 5, 40]);
    let cut = chance.percent(20);
    let script = Script {
        think: chance.seconds(0..=300),
        len: chance.one_of(&[1_000, 50_000, 300_000]),
        pieces,
        pause: chance.seconds(0..=150),
        sized: chance.percent(50),
        trailers: chance.percent(50),
        end: match cut {
            true => End::CutAfter(pieces / 2),
            false => End::Whole,
        },
        ..Script::default()
    };
    let method = [Method::POST, Method::GET][chance.one_of(&[0, 1])].clone();
    let routes = ["auto", "keep", "whole", "async", "sync", "queue"];
    Ask::new(method, chance.one_of(&routes), intent, script)
}

fn play(world: World, _: u32) -> Playing {
    Box::pin(async move {
        parts::crowd(&world, 6, |mut client, chance, number| async move {
            client.ask_to_end(&ask(&chance, number)).await;
        })
        .await;
        Ok(())
    })
}
