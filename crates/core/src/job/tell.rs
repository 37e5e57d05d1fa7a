//! A job's end is told to whoever named a URL for it.

use super::apply::Transition;
use super::{EventKind, Job, Refused};
use crate::callback::{DeliveryState, Try};
use crate::time::Timestamp;
use std::time::Duration;

/// A try of the pending delivery with this number ended. A delivery that needed more than its first
/// try keeps its job for the whole retention from here: until now nobody knew of the result.
pub(super) fn tried(
    job: &Job,
    number: u32,
    made: Try,
    wait: Option<Duration>,
    now: Timestamp,
) -> Result<Transition, Refused> {
    let pending = job.callback().and_then(|callback| callback.pending());
    if pending.is_none_or(|delivery| delivery.number != number) {
        return Err(refused(job, EventKind::Tried));
    }
    Ok(Transition::change(job, |fields| {
        let Some(latest) = fields
            .callback
            .as_mut()
            .and_then(|callback| callback.deliveries.last_mut())
        else {
            return;
        };
        latest.tried(made, wait, now);
        let late = latest.tries_made > 1 || latest.state == DeliveryState::Failed;
        if latest.due_at().is_none() && late {
            let expiry = now.after(fields.terms.retention);
            fields.expires_at = fields.expires_at.max(Some(expiry));
        }
    }))
}

/// Somebody wants the latest delivery to be sent again.
pub(super) fn redeliver(job: &Job, number: u32, now: Timestamp) -> Result<Transition, Refused> {
    let latest = job
        .callback()
        .and_then(|callback| callback.deliveries.last());
    let again = latest.is_some_and(|own| own.number == number && own.due_at().is_none());
    if !again || !job.status().is_finished() {
        return Err(refused(job, EventKind::Redeliver));
    }
    Ok(Transition::change(job, |fields| {
        if let Some(latest) = fields
            .callback
            .as_mut()
            .and_then(|callback| callback.deliveries.last_mut())
        {
            latest.again(now);
        }
    }))
}

fn refused(job: &Job, event: EventKind) -> Refused {
    Refused::Delivery {
        status: job.status(),
        event,
    }
}
