//! A job's record.

use raincheck_core::id::{FencingToken, JobId, Revision, RouteName};
use raincheck_core::job::{Fields, Job, JobError, Status, Terms};
use raincheck_core::outcome::ResponseSummary;
use raincheck_core::problem::ProblemCode;
use raincheck_core::route::{RetryOn, RetryPolicy};

use super::wire::{Reader, Wrong, put_bytes, put_duration, put_number, put_time};
use super::{Damage, Kind, sealed, unsealed};

/// Of jobs whose end is told to nobody.
const VERSION: u8 = 1;
/// The same with a callback at its end.
const VERSION_TOLD: u8 = 2;

/// The number a status is stored as. Never reuse one.
pub fn status_number(status: Status) -> u8 {
    match status {
        Status::Queued => 1,
        Status::Processing => 2,
        Status::Succeeded => 3,
        Status::Failed => 4,
        Status::Cancelled => 5,
        Status::Expired => 6,
    }
}

/// The status with this number.
pub fn status_of(number: u8) -> Option<Status> {
    Status::ALL
        .into_iter()
        .find(|status| status_number(*status) == number)
}

/// The record of a job.
pub fn encode(job: &Job) -> Vec<u8> {
    let fields = job.fields();
    let mut out = Vec::with_capacity(160);
    out.push(match fields.callback {
        None => VERSION,
        Some(_) => VERSION_TOLD,
    });
    put_number(&mut out, fields.revision.0);
    put_bytes(&mut out, fields.route.as_str().as_bytes());
    out.push(status_number(fields.status));
    put_time(&mut out, fields.due_at);
    put_number(&mut out, fields.token.0);
    for count in [fields.attempt, fields.attempts_max, fields.executions] {
        put_number(&mut out, u64::from(count));
    }
    put_number(&mut out, fields.created_at.as_millis());
    put_time(&mut out, fields.started_at);
    put_time(&mut out, fields.finished_at);
    put_time(&mut out, fields.expires_at);
    put_time(&mut out, fields.deadline);
    put_terms(&mut out, &fields.terms);
    put_response(&mut out, fields.response.as_ref());
    put_error(&mut out, fields.error.as_ref());
    if let Some(callback) = &fields.callback {
        super::callback::put(&mut out, callback);
    }
    sealed(Kind::Job, fields.id.as_bytes(), out)
}

/// The job of a record.
pub fn decode(id: JobId, record: &[u8]) -> Result<Job, Damage> {
    let (version, fields) = unsealed(Kind::Job, id.as_bytes(), record)?;
    if !(VERSION..=VERSION_TOLD).contains(&version) {
        return Err(Damage::Version(version));
    }
    let mut reader = Reader::new(fields);
    let mut fields = read(id, &mut reader)?;
    if version == VERSION_TOLD {
        fields.callback = Some(Box::new(super::callback::read(&mut reader)?));
    }
    reader.end()?;
    Job::restore(fields).map_err(|impossible| Damage::Wrong(Wrong(impossible.0)))
}

fn read(id: JobId, reader: &mut Reader<'_>) -> Result<Fields, Wrong> {
    Ok(Fields {
        id,
        revision: Revision(reader.number("revision")?),
        route: route(reader)?,
        status: status_of(reader.byte("status")?).ok_or(Wrong("status"))?,
        due_at: reader.time("due time")?,
        token: FencingToken(reader.number("token")?),
        attempt: reader.small("attempt")?,
        attempts_max: reader.small("attempts allowed")?,
        executions: reader.small("executions")?,
        created_at: raincheck_core::time::Timestamp::from_millis(reader.number("creation")?),
        started_at: reader.time("start")?,
        finished_at: reader.time("end time")?,
        expires_at: reader.time("expiry")?,
        deadline: reader.time("deadline")?,
        terms: terms(reader)?,
        response: response(reader)?,
        error: error(reader)?,
        callback: None,
    })
}

fn route(reader: &mut Reader<'_>) -> Result<RouteName, Wrong> {
    reader.text("route")?.parse().map_err(|_| Wrong("route"))
}

fn put_terms(out: &mut Vec<u8>, terms: &Terms) {
    let RetryPolicy {
        attempts,
        backoff,
        max_backoff,
        on,
        repeat_unsafe,
    } = &terms.retry;
    put_number(out, u64::from(*attempts));
    put_duration(out, *backoff);
    put_duration(out, *max_backoff);
    let flags = [
        on.connect,
        on.timeout,
        on.server_error,
        on.too_many,
        *repeat_unsafe,
        terms.repeatable,
        terms.deadline.is_some(),
    ];
    let bits = flags
        .iter()
        .rev()
        .fold(0, |bits, flag| bits << 1 | u8::from(*flag));
    out.push(bits);
    put_duration(out, terms.retention);
    if let Some(deadline) = terms.deadline {
        put_duration(out, deadline);
    }
}

fn terms(reader: &mut Reader<'_>) -> Result<Terms, Wrong> {
    let attempts = reader.small("attempts of its policy")?;
    let backoff = reader.duration("backoff")?;
    let max_backoff = reader.duration("longest backoff")?;
    let bits = reader.byte("flags")?;
    let flag = |at: u8| bits & 1 << at != 0;
    if bits >= 1 << 7 {
        return Err(Wrong("flags"));
    }
    Ok(Terms {
        retry: RetryPolicy {
            attempts,
            backoff,
            max_backoff,
            on: RetryOn {
                connect: flag(0),
                timeout: flag(1),
                server_error: flag(2),
                too_many: flag(3),
            },
            repeat_unsafe: flag(4),
        },
        repeatable: flag(5),
        retention: reader.duration("retention")?,
        deadline: match flag(6) {
            true => Some(reader.duration("time allowed")?),
            false => None,
        },
    })
}

fn put_response(out: &mut Vec<u8>, response: Option<&ResponseSummary>) {
    let Some(response) = response else {
        out.push(0);
        return;
    };
    match &response.content_type {
        None => out.push(1),
        Some(content_type) => {
            out.push(2);
            put_bytes(out, content_type.as_bytes());
        }
    }
    put_number(out, u64::from(response.status));
    put_number(out, response.content_length);
}

fn response(reader: &mut Reader<'_>) -> Result<Option<ResponseSummary>, Wrong> {
    let content_type = match reader.byte("response")? {
        0 => return Ok(None),
        1 => None,
        2 => Some(reader.text("content type")?.to_owned()),
        _ => return Err(Wrong("response")),
    };
    Ok(Some(ResponseSummary {
        status: reader.small("response status")?,
        content_type,
        content_length: reader.number("response length")?,
    }))
}

fn put_error(out: &mut Vec<u8>, error: Option<&JobError>) {
    // Problem codes begin at 1, so 0 is free for "none".
    put_number(out, error.map_or(0, |error| u64::from(error.code.number())));
    if let Some(error) = error {
        put_bytes(out, error.detail.as_bytes());
    }
}

fn error(reader: &mut Reader<'_>) -> Result<Option<JobError>, Wrong> {
    let number = reader.small::<u16>("problem")?;
    if number == 0 {
        return Ok(None);
    }
    Ok(Some(JobError {
        code: ProblemCode::from_number(number).ok_or(Wrong("problem"))?,
        detail: reader.text("problem's detail")?.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    proptest! {
        #[test]
        fn comes_back(job in arbitrary::job()) {
            prop_assert_eq!(decode(job.id(), &encode(&job)), Ok(job));
        }

        #[test]
        fn a_flipped_bit_is_noticed(job in arbitrary::job(), at: proptest::sample::Index, bit in 0..8_u8) {
            let mut record = encode(&job);
            let at = at.index(record.len());
            record[at] ^= 1_u8 << bit;
            prop_assert_eq!(decode(job.id(), &record), Err(Damage::Checksum));
        }

        #[test]
        fn a_record_under_another_key_is_noticed(job in arbitrary::job(), other in arbitrary::job_id()) {
            prop_assume!(job.id() != other);
            prop_assert_eq!(decode(other, &encode(&job)), Err(Damage::Checksum));
        }

        #[test]
        fn any_fields_are_read_without_a_panic(
            id in arbitrary::job_id(), version in VERSION..=VERSION_TOLD, mut fields: Vec<u8>,
        ) {
            fields.insert(0, version);
            let _ = decode(id, &sealed(Kind::Job, id.as_bytes(), fields));
        }
    }
}
