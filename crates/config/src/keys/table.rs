//! The table of keys itself, put together from one file for each group of sections.

mod listener;
mod rewrite;
mod route;
mod server;
mod upstream;
mod webhooks;

use super::Key;

/// Every key, by section, in the order of the documentation.
pub const KEYS: &[Key] = &joined::<COUNT>();

const PARTS: [&[Key]; 6] = [
    server::KEYS,
    listener::KEYS,
    upstream::KEYS,
    route::KEYS,
    rewrite::KEYS,
    webhooks::KEYS,
];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
};

const fn joined<const N: usize>() -> [Key; N] {
    let mut all = [PARTS[0][0]; N];
    let (mut at, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut index = 0;
        while index < PARTS[part].len() {
            all[at] = PARTS[part][index];
            at += 1;
            index += 1;
        }
        part += 1;
    }
    all
}
