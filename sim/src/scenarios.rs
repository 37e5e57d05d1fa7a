//! The workloads, one file each. A scenario brings a world into a situation; it judges nothing.

mod clients_gone;
mod clock_steps;
mod crash_anywhere;
mod crash_commit;
mod drain;
mod everything;
mod failed_sync;
mod frozen;
mod full_store;
mod hold_edge;
mod parts;
mod retry_storm;
mod slow_stream;
mod stalled_store;

use std::future::Future;
use std::pin::Pin;

use crate::chance::Chance;
use crate::world::{Blueprint, World};

/// A workload on its way.
pub type Playing = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;

/// A situation.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// The world it needs.
    pub blueprint: fn(&Chance) -> Blueprint,
    /// What goes on in it; the number says which of its variants.
    pub play: fn(World, u32) -> Playing,
    /// Whether there is a variant for each sync of the run.
    pub by_sync: bool,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All of them.
pub const ALL: &[&Scenario] = &[
    &hold_edge::SCENARIO,
    &retry_storm::SCENARIO,
    &clients_gone::SCENARIO,
    &slow_stream::SCENARIO,
    &crash_commit::SCENARIO,
    &crash_anywhere::SCENARIO,
    &full_store::SCENARIO,
    &failed_sync::SCENARIO,
    &stalled_store::SCENARIO,
    &clock_steps::SCENARIO,
    &frozen::SCENARIO,
    &drain::SCENARIO,
    &everything::SCENARIO,
];

/// The scenario of this name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().copied().find(|scenario| scenario.name == name)
}
