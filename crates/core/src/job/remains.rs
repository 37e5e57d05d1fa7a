//! What becomes of a job whose record is damaged: it has failed, and says why.

use super::{Fields, Job, JobError, Status, Terms};
use crate::id::{FencingToken, JobId, Revision, RouteName};
use crate::limits::DAMAGED_RETENTION;
use crate::problem::ProblemCode;
use crate::route::RetryPolicy;
use crate::time::Timestamp;

/// What can still be read of a job whose record cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// The job.
    pub id: JobId,
    /// Its route.
    pub route: RouteName,
    /// The revision to replace.
    pub revision: Revision,
    /// Its latest attempt.
    pub token: FencingToken,
}

/// The job that takes the place of a damaged one. What its client was promised is not known any
/// more, so it is not sent again; `executions` is as many as there can have been.
pub fn damaged(remains: Remains, detail: &str, now: Timestamp) -> Job {
    let attempts = u32::try_from(remains.token.0).unwrap_or(u32::MAX);
    Job {
        fields: Fields {
            id: remains.id,
            revision: remains.revision.next(),
            route: remains.route,
            status: Status::Failed,
            due_at: None,
            token: remains.token,
            attempt: attempts,
            attempts_max: attempts.max(1),
            executions: attempts,
            created_at: remains.id.created_at(),
            started_at: None,
            finished_at: Some(now),
            expires_at: Some(now.after(DAMAGED_RETENTION)),
            deadline: None,
            terms: Terms {
                retry: RetryPolicy::default(),
                repeatable: false,
                retention: DAMAGED_RETENTION,
                deadline: None,
            },
            response: None,
            error: Some(JobError {
                code: ProblemCode::StorageDamaged,
                detail: detail.to_owned(),
            }),
            callback: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_the_place_of_a_damaged_job_is_a_failed_one() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        for token in [0, 1, 7, u64::MAX] {
            let remains = Remains {
                id: JobId::from_parts(Timestamp::from_millis(1_700_000_000_000), [3; 10]),
                route: "r".parse().unwrap(),
                revision: Revision(9),
                token: FencingToken(token),
            };
            let job = damaged(remains.clone(), "it was", now);
            assert_eq!(job.check(), Ok(()));
            assert_eq!((job.id(), job.revision()), (remains.id, Revision(10)));
            assert_eq!(job.status(), Status::Failed);
            assert_eq!(job.created_at().as_millis(), 1_700_000_000_000);
            assert_eq!(
                job.error().map(|error| error.code),
                Some(ProblemCode::StorageDamaged)
            );
        }
    }
}
