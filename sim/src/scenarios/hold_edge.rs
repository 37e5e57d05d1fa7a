//! The answer comes at the very moment at which the hold ends, a little before, a little after.

use std::time::Duration;

use http::Method;

use super::{Playing, Scenario, parts};
use crate::backend::Script;
use crate::chance::Chance;
use crate::client::Ask;
use crate::world::{Blueprint, World};

/// How long clients are held.
const HOLD_MILLIS: u64 = 5_000;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "hold_edge",
    blueprint,
    play,
    by_sync: false,
};

fn blueprint(chance: &Chance) -> Blueprint {
    let blueprint = parts::blueprint(chance);
    let mut config = String::new();
    for line in blueprint.config.lines() {
        let line = match line.split_once(" = ").map(|(key, _)| key) {
            Some("hold") => format!("hold = \"{HOLD_MILLIS}ms\""),
            Some("concurrency") => "concurrency = 256".to_owned(),
            _ => line.to_owned(),
        };
        config += &format!("{line}\n");
    }
    Blueprint {
        config,
        ..blueprint
    }
}

fn ask(chance: &Chance, intent: u32) -> Ask {
    let method = chance.one_of(&[0, 1]);
    let method = [Method::POST, Method::GET][method].clone();
    let route = chance.one_of(&["auto", "keep", "whole", "again"]);
    let near = chance.within(0..=40).saturating_sub(20);
    let think = Duration::from_millis(HOLD_MILLIS - 10 + near);
    let script = Script {
        pieces: chance.one_of(&[1, 4]),
        len: chance.one_of(&[0, 400, 70_000]),
        pause: chance.millis(0..=10),
        sized: chance.percent(50),
        ..Script::after(think)
    };
    Ask::new(method, route, intent, script)
}

fn play(world: World, _: u32) -> Playing {
    Box::pin(async move {
        parts::crowd(&world, 12, |mut client, chance, number| async move {
            for time in 0..3 {
                client.ask_to_end(&ask(&chance, number * 3 + time)).await;
            }
        })
        .await;
        Ok(())
    })
}
