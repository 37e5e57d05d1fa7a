//! The suites, by name.

mod accept;
mod auto;
mod bodies;
mod duplicates;
mod follow;
mod held;
mod life;
mod relay;
mod slow;
mod start;
mod watchers;
mod webhooks;

use anyhow::{Result, bail};

use crate::context::Context;
use crate::report::Section;

/// The suites in the order in which they run and are reported.
pub const NAMES: [&str; 12] = [
    "relay",
    "accept",
    "life",
    "auto",
    "bodies",
    "start",
    "duplicates",
    "held",
    "follow",
    "slow",
    "watchers",
    "webhooks",
];

/// The body of a small request.
pub const BODY: [u8; 1024] = [b'x'; 1024];

/// Runs one suite.
pub async fn run(name: &str, context: &Context) -> Result<Section> {
    match name {
        "relay" => relay::run(context).await,
        "accept" => accept::run(context).await,
        "life" => life::run(context).await,
        "auto" => auto::run(context).await,
        "bodies" => bodies::run(context).await,
        "start" => start::run(context).await,
        "duplicates" => duplicates::run(context).await,
        "held" => held::run(context).await,
        "follow" => follow::run(context).await,
        "slow" => slow::run(context).await,
        "watchers" => watchers::run(context).await,
        "webhooks" => webhooks::run(context).await,
        other => bail!("there is no suite {other}"),
    }
}
