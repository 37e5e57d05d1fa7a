//! Within a job's record: where its end is told, and what became of that.

use raincheck_core::callback::{Callback, Delivery, DeliveryState, Try, TryError, TryOutcome};
use raincheck_core::time::Timestamp;

use super::job::{status_number, status_of};
use super::wire::{Reader, Wrong, put_bytes, put_duration, put_number};

/// The number an error is stored as; 0 is "none". Never reuse one.
fn error_number(error: TryError) -> u8 {
    match error {
        TryError::Denied => 1,
        TryError::Connect => 2,
        TryError::Tls => 3,
        TryError::Timeout => 4,
        TryError::Broken => 5,
        TryError::Proxy => 6,
    }
}

fn error_of(number: u8) -> Option<TryError> {
    TryError::ALL
        .into_iter()
        .find(|error| error_number(*error) == number)
}

/// Appends all of it.
pub(super) fn put(out: &mut Vec<u8>, callback: &Callback) {
    put_bytes(out, callback.url.as_bytes());
    put_number(out, callback.receiver);
    put_number(out, callback.deliveries.len() as u64);
    for delivery in &callback.deliveries {
        put_number(out, u64::from(delivery.number));
        out.push(status_number(delivery.told));
        put_number(out, delivery.created_at.as_millis());
        put_state(out, delivery.state);
        put_number(out, u64::from(delivery.tries_made));
        put_number(out, delivery.tries.len() as u64);
        for own in &delivery.tries {
            put_try(out, own);
        }
    }
}

fn put_state(out: &mut Vec<u8>, state: DeliveryState) {
    match state {
        DeliveryState::Pending { due_at } => {
            out.push(1);
            put_number(out, due_at.as_millis());
        }
        DeliveryState::Delivered => out.push(2),
        DeliveryState::Failed => out.push(3),
        DeliveryState::Gone => out.push(4),
        DeliveryState::Withdrawn => out.push(5),
    }
}

fn put_try(out: &mut Vec<u8>, own: &Try) {
    put_number(out, own.at.as_millis());
    put_duration(out, own.took);
    match own.outcome {
        TryOutcome::Answered(status) => {
            out.push(0);
            put_number(out, u64::from(status));
        }
        TryOutcome::Failed(error) => out.push(error_number(error)),
    }
}

/// Reads all of it.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Callback, Wrong> {
    let url = reader.text("callback")?.into();
    let receiver = reader.number("receiver")?;
    let mut callback = Callback::new(url, receiver);
    for _ in 0..reader.number("deliveries")? {
        callback.deliveries.push(delivery(reader)?);
    }
    Ok(callback)
}

fn delivery(reader: &mut Reader<'_>) -> Result<Delivery, Wrong> {
    let mut delivery = Delivery {
        number: reader.small("delivery")?,
        told: status_of(reader.byte("delivery's status")?).ok_or(Wrong("delivery's status"))?,
        created_at: time(reader, "delivery's creation")?,
        state: state(reader)?,
        tries_made: reader.small("tries made")?,
        tries: Vec::new(),
    };
    for _ in 0..reader.number("tries")? {
        delivery.tries.push(Try {
            at: time(reader, "try's time")?,
            took: reader.duration("try's duration")?,
            outcome: outcome(reader)?,
        });
    }
    Ok(delivery)
}

fn state(reader: &mut Reader<'_>) -> Result<DeliveryState, Wrong> {
    Ok(match reader.byte("delivery's state")? {
        1 => DeliveryState::Pending {
            due_at: time(reader, "delivery's due time")?,
        },
        2 => DeliveryState::Delivered,
        3 => DeliveryState::Failed,
        4 => DeliveryState::Gone,
        5 => DeliveryState::Withdrawn,
        _ => return Err(Wrong("delivery's state")),
    })
}

fn outcome(reader: &mut Reader<'_>) -> Result<TryOutcome, Wrong> {
    match reader.byte("try's outcome")? {
        0 => Ok(TryOutcome::Answered(reader.small("try's answer")?)),
        number => error_of(number)
            .map(TryOutcome::Failed)
            .ok_or(Wrong("try's outcome")),
    }
}

fn time(reader: &mut Reader<'_>, name: &'static str) -> Result<Timestamp, Wrong> {
    Ok(Timestamp::from_millis(reader.number(name)?))
}

/// Any callback of a job; under way where `pending`.
#[cfg(test)]
pub(super) fn arbitrary(pending: bool) -> impl proptest::strategy::Strategy<Value = Callback> {
    use std::time::Duration;

    use proptest::prelude::*;
    use raincheck_core::job::Status;

    let time = || any::<u64>().prop_map(Timestamp::from_millis);
    let outcome = prop_oneof![
        any::<u16>().prop_map(TryOutcome::Answered),
        proptest::sample::select(&TryError::ALL[..]).prop_map(TryOutcome::Failed),
    ];
    let took = (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(s, n)| Duration::new(s, n));
    let own = (time(), took, outcome).prop_map(|(at, took, outcome)| Try { at, took, outcome });
    let state = proptest::sample::select(vec![
        DeliveryState::Delivered,
        DeliveryState::Failed,
        DeliveryState::Gone,
        DeliveryState::Withdrawn,
    ]);
    let delivery = (
        any::<u32>(),
        proptest::sample::select(&Status::ALL[..]),
        time(),
        state,
        any::<u32>(),
        proptest::collection::vec(own, 0..4),
    )
        .prop_map(
            |(number, told, created_at, state, tries_made, tries)| Delivery {
                number,
                told,
                created_at,
                state,
                tries_made,
                tries,
            },
        );
    let deliveries = proptest::collection::vec(delivery, 0..3);
    (".{0,40}", any::<u64>(), deliveries, time()).prop_map(
        move |(url, receiver, deliveries, due_at)| {
            let mut callback = Callback {
                url: url.into(),
                receiver,
                deliveries,
            };
            if let Some(latest) = callback.deliveries.last_mut().filter(|_| pending) {
                latest.state = DeliveryState::Pending { due_at };
            }
            callback
        },
    )
}
