//! What callers are told of their jobs' ends with.

use anyhow::Context;
use raincheck_config::Plan;
use raincheck_runner::callback::Webhooks;
use raincheck_runner::sign::Signer;
use raincheck_runner::status::Links;
use raincheck_upstreams::egress::{Egress, EgressOptions};

/// Webhooks as the plan has them; none without a key.
pub(super) fn make(plan: &Plan) -> anyhow::Result<Option<Webhooks>> {
    let own = &plan.webhooks;
    if own.keys.is_empty() {
        return Ok(None);
    }
    let egress = EgressOptions {
        rules: own.rules.clone(),
        timeout: own.timeout,
        proxy: own.proxy.clone(),
        ca_file: own.ca_file.clone(),
    };
    let base = plan.server.public_url.clone().unwrap_or_default() + &plan.server.jobs_path;
    Ok(Some(Webhooks {
        egress: Egress::new(egress).context("webhooks cannot be sent")?,
        signer: Signer::new(&own.keys).context("webhooks cannot be signed")?,
        format: own.format,
        links: Links::new(base),
        schedule: own.schedule.clone(),
        tries: own.concurrency,
    }))
}
