//! What several scenarios are made of: routes, requests that chance decides, and crowds of clients.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use http::Method;
use tokio::task::JoinSet;

use crate::backend::{End, Script};
use crate::chance::Chance;
use crate::client::{Ask, Client, DEDUPES};
use crate::net::Weather;
use crate::world::{Blueprint, World};

/// The routes of every world: name, mode and what is peculiar to it.
const ROUTES: &[(&str, &str, &str)] = &[
    ("auto", "auto", ""),
    ("keep", "auto", "on_disconnect = \"continue\""),
    ("whole", "auto", "hold_until = \"complete\""),
    ("async", "async", ""),
    ("sync", "sync", ""),
    ("again", "auto", "RETRY"),
    ("queue", "async", "RETRY"),
    ("unsafe", "async", "UNSAFE"),
    (DEDUPES, "auto", "dedupe = \"10m\""),
];

/// Routes on which a request may become a job.
pub const JOB_ROUTES: &[&str] = &[
    "auto", "keep", "whole", "async", "again", "queue", "unsafe", DEDUPES,
];
/// All routes.
pub const ALL_ROUTES: &[&str] = &[
    "auto", "keep", "whole", "async", "again", "queue", "unsafe", DEDUPES, "sync",
];

/// The world of most scenarios. Chance decides its times and sizes.
pub fn blueprint(chance: &Chance) -> Blueprint {
    let hold = chance.one_of(&[100, 1_000, 5_000, 25_000]);
    let concurrency = chance.one_of(&[1, 2, 8, 256]);
    let queue = chance.one_of(&[4, 50, 100_000]);
    let attempts = chance.within(2..=4);
    let retention = chance.one_of(&[60, 600, 3_600]);
    let retry = |more: &str| {
        format!(
            "retry = {{ attempts = {attempts}, backoff = \"1s\", max_backoff = \"20s\", \
             on = [\"connect\", \"timeout\", \"5xx\", \"429\"]{more} }}"
        )
    };
    let mut config = String::new();
    for (name, mode, more) in ROUTES {
        let more = match *more {
            "RETRY" => retry(""),
            "UNSAFE" => retry(", unsafe = true"),
            more => more.to_owned(),
        };
        let timeout = if *mode == "sync" { "4000s" } else { "2h" };
        config += &format!(
            "[[route]]\nname = \"{name}\"\nmatch = \"/{name}/{{*rest}}\"\n\
             upstream = \"http://backend:9000\"\nmode = \"{mode}\"\n\
             timeout = \"{timeout}\"\nconcurrency = {concurrency}\n{more}\n"
        );
        if *mode != "sync" {
            config += &format!("hold = \"{hold}ms\"\nretention = \"{retention}s\"\n");
            config += &format!("queue = {queue}\n");
        }
    }
    Blueprint {
        config,
        sync_millis: chance.one_of(&[(0, 0), (0, 3), (2, 20)]),
        weather: weather(chance),
        restart_after: Duration::from_millis(chance.one_of(&[0, 20, 4_000])),
    }
}

fn weather(chance: &Chance) -> Weather {
    let fair = Weather::default();
    chance.one_of(&[
        fair,
        fair,
        Weather {
            delay_micros: (20_000, 80_000),
            loss_percent: 2,
            ..fair
        },
        Weather {
            reset_permille: 30,
            ..fair
        },
    ])
}

/// What the backend does with an ordinary request: mostly well, mostly quickly.
pub fn script(chance: &Chance) -> Script {
    let think = match chance.within(0..=9) {
        0..=4 => chance.millis(0..=50),
        5..=7 => chance.seconds(0..=40),
        _ => chance.seconds(0..=600),
    };
    let end = match chance.within(0..=19) {
        0 => End::NoHead,
        1 => End::CutAfter(usize::from(chance.percent(50))),
        _ => End::Whole,
    };
    let status = match chance.within(0..=19) {
        0 => 500,
        1 => 503,
        2 => 404,
        3 => 204,
        4 => 429,
        _ => 200,
    };
    let len = chance.one_of(&[0, 1, 200, 9_000, 70_000]);
    Script {
        think,
        status,
        len,
        pieces: chance.one_of(&[1, 1, 3]),
        pause: chance.millis(0..=2_000),
        sized: chance.percent(50),
        trailers: chance.percent(30),
        end,
    }
}

/// An ordinary request.
pub fn ask(chance: &Chance, routes: &[&'static str], intent: u32) -> Ask {
    let method = match chance.within(0..=3) {
        0 | 1 => Method::POST,
        2 => Method::PUT,
        _ => Method::GET,
    };
    let mut ask = Ask::new(method, chance.one_of(routes), intent, script(chance));
    ask.scripts = (0..4).map(|_| script(chance)).collect();
    if ask.method != Method::GET {
        ask.len = chance.one_of(&[0, 10, 9_000, 70_000]);
    }
    if JOB_ROUTES.contains(&ask.route) && chance.percent(40) {
        ask.key = Some(format!("key-{intent}"));
    }
    ask.prefer = match chance.within(0..=9) {
        0 => Some("respond-async".to_owned()),
        1 => Some(format!("respond-async, wait={}", chance.within(0..=30))),
        2 => Some("wait=2".to_owned()),
        _ => None,
    };
    ask
}

/// Many clients at once, each with its own chance; ends when the last one has.
pub async fn crowd<F>(world: &World, clients: u32, life: impl Fn(Client, Chance, u32) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut lives = JoinSet::new();
    for number in 0..clients {
        let chance = world.chance.fork();
        lives.spawn(life(Client::new(world), chance, number));
    }
    let mut beat = tokio::time::interval(Duration::from_secs(30));
    loop {
        tokio::select! {
            biased;
            ended = lives.join_next() => match ended {
                Some(_) => {}
                None => return,
            },
            _ = beat.tick() => world.gauge(false),
        }
    }
}

/// Clients that ask a few times each and follow every ticket.
pub async fn ordinary(world: &World, clients: u32, times: u32, routes: &'static [&'static str]) {
    crowd(world, clients, |mut client, chance, number| async move {
        for time in 0..times {
            tokio::time::sleep(chance.millis(0..=3_000)).await;
            client
                .ask_to_end(&ask(&chance, routes, number * times + time))
                .await;
        }
    })
    .await;
}

/// Does something to the world now and then, while `life` lasts. What was begun is brought to its
/// end.
pub async fn meanwhile<F>(life: impl Future<Output = ()>, mut trouble: impl FnMut() -> F)
where
    F: Future<Output = ()>,
{
    let mut life = pin!(life);
    loop {
        let mut trouble = pin!(trouble());
        tokio::select! {
            biased;
            () = &mut life => {
                trouble.await;
                return;
            }
            () = &mut trouble => {}
        }
    }
}
