//! Why an event changes nothing, in words for whoever caused it, with what to do instead.

use super::{EventKind, Status};
use crate::id::FencingToken;

/// Why an event changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A job in this status cannot be met by such an event.
    #[error("{}", unmet(*status, *event))]
    Status {
        /// Where the job stands.
        status: Status,
        /// What happened.
        event: EventKind,
    },
    /// The event is of an attempt that is not the latest.
    #[error("attempt {} is over; the latest is {}", told.0, latest.0)]
    Fenced {
        /// The attempt of the event.
        told: FencingToken,
        /// The job's latest attempt.
        latest: FencingToken,
    },
    /// Its end cannot be told now: there is no such delivery, it is under way, or the job has been
    /// run again since.
    #[error("{}", undelivered(*status, *event))]
    Delivery {
        /// Where the job stands.
        status: Status,
        /// What happened.
        event: EventKind,
    },
    /// It is not time yet.
    #[error("neither its deadline nor its retention is over")]
    NotYet,
}

/// Somebody asks for the first three, and reads this. The others are ours, and go to the log.
fn unmet(status: Status, event: EventKind) -> String {
    match event {
        EventKind::Retry => unretried(status),
        EventKind::Cancel => {
            let ended = ended(status);
            format!("the job {ended}, so there is nothing left to cancel; DELETE forgets it")
        }
        EventKind::Forget => {
            let stands = stands(status);
            format!("the job {stands}, and only one that has ended is forgotten; cancel it first")
        }
        ours => format!("a job that is {} takes no {ours:?}", status.as_str()),
    }
}

fn unretried(status: Status) -> String {
    match status.is_finished() {
        true => {
            let ended = ended(status);
            format!(
                "the job {ended}, and only one that failed, was cancelled or expired is run again; \
                 for another run send the request anew"
            )
        }
        false => {
            let stands = stands(status);
            format!("the job {stands} already; wait for its end, or cancel it and then retry it")
        }
    }
}

fn undelivered(status: Status, event: EventKind) -> String {
    if event != EventKind::Redeliver {
        return format!(
            "a job that is {} has no delivery for {event:?}",
            status.as_str()
        );
    }
    match status.is_finished() {
        true => "only the latest delivery is sent again, once its tries are over; GET \
                 {jobs}/{id}/deliveries shows how each stands"
            .to_owned(),
        false => {
            let stands = stands(status);
            format!("the job {stands} again; its next end is told when it comes")
        }
    }
}

/// How a job that has not ended stands.
fn stands(status: Status) -> &'static str {
    match status {
        Status::Queued => "is waiting for its turn",
        Status::Processing => "is running",
        ended => self::ended(ended),
    }
}

fn ended(status: Status) -> &'static str {
    match status {
        Status::Queued | Status::Processing => "has not ended",
        Status::Succeeded => "has succeeded",
        Status::Failed => "has failed",
        Status::Cancelled => "has been cancelled",
        Status::Expired => "has expired",
    }
}

#[cfg(test)]
mod tests {
    //! What people read when a job does not take what they asked for.

    use super::{EventKind, Refused, Status};

    fn said(status: Status, event: EventKind) -> String {
        Refused::Status { status, event }.to_string()
    }

    #[test]
    fn each_refusal_says_how_the_job_stands_and_what_to_do() {
        let only = "and only one that failed, was cancelled or expired is run again";
        assert_eq!(
            said(Status::Succeeded, EventKind::Retry),
            format!("the job has succeeded, {only}; for another run send the request anew")
        );
        for (status, stands) in [
            (Status::Queued, "is waiting for its turn"),
            (Status::Processing, "is running"),
        ] {
            assert_eq!(
                said(status, EventKind::Retry),
                format!(
                    "the job {stands} already; wait for its end, or cancel it and then retry it"
                )
            );
            assert_eq!(
                said(status, EventKind::Forget),
                format!(
                    "the job {stands}, and only one that has ended is forgotten; cancel it first"
                )
            );
        }
        assert_eq!(
            said(Status::Failed, EventKind::Cancel),
            "the job has failed, so there is nothing left to cancel; DELETE forgets it"
        );
    }

    #[test]
    fn what_people_can_cause_is_told_without_names_from_the_code() {
        let asked = [
            EventKind::Retry,
            EventKind::Cancel,
            EventKind::Forget,
            EventKind::Redeliver,
        ];
        for (status, event) in Status::ALL
            .into_iter()
            .flat_map(|status| asked.map(|event| (status, event)))
        {
            let delivery = Refused::Delivery { status, event };
            let texts = match event {
                EventKind::Redeliver => vec![delivery.to_string()],
                _ => vec![said(status, event)],
            };
            for text in texts {
                assert!(!text.contains(&format!("{event:?}")), "{text}");
                assert!(text.contains(';'), "nothing to do next: {text}");
            }
        }
    }
}
