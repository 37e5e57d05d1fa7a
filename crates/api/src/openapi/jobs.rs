//! The operations of a job.

use raincheck_core::problem::ProblemCode as P;
use serde_json::{Value, json};

use super::operation::{Answer, Operation, reference};
use super::parameter::{follow, hop, if_match, if_none_match, last_event_id, range, wait};
use super::schemas::{example, example_deliveries};
use crate::paths::Resource;

const TAG: &str = "jobs";

/// What may go wrong with the store.
const STORE: [P; 2] = [P::StorageDamaged, P::StoreUnavailable];

/// How a job may have ended without a response.
const ENDS: [P; 14] = [
    P::UpstreamUnreachable,
    P::UpstreamBroken,
    P::UpstreamTimeout,
    P::ResponseTooLarge,
    P::RetriesExhausted,
    P::Interrupted,
    P::DeadlineExceeded,
    P::RouteGone,
    P::NoUpstream,
    P::Overloaded,
    P::StoreUnavailable,
    P::StorageDamaged,
    P::JobCancelled,
    P::JobExpired,
];

/// The operation of a method on a resource.
pub(super) fn operation(resource: Resource, method: &str) -> Option<Operation> {
    let operation = match (resource, method) {
        (Resource::Job, "GET") => status("getJob", "How the job stands"),
        (Resource::Job, "DELETE") => delete(),
        (Resource::Status, "GET") => status("getStatus", "How the job stands, under another name"),
        (Resource::Result, "GET") => result(),
        (Resource::Events, "GET") => events(),
        (Resource::Cancel, "POST") => cancel(),
        (Resource::Retry, "POST") => retry(),
        (Resource::Deliveries, "GET") => deliveries(),
        (Resource::Redeliver(_), "POST") => redeliver(),
        (Resource::Progress(..), "PUT") => report("putProgress"),
        (Resource::Progress(..), "POST") => report("postProgress"),
        _ => return None,
    };
    // Without a job id the path is for the routes, and maybe for none of them.
    Some(operation.fails(&[P::RouteNotFound]).fails(&STORE))
}

/// An answer with a status document.
fn document(about: &str, example: Value) -> Answer {
    Answer::new(about)
        .json("Job", example)
        .header("Raincheck-Job-Id", "The job's id.")
}

fn unfinished(answer: Answer) -> Answer {
    answer.maybe(
        "Retry-After",
        "While unfinished: seconds after which to look again.",
    )
}

fn status(id: &str, summary: &str) -> Operation {
    let about = "With `wait` the answer is held until the status changes, or anything does where \
                 `If-None-Match` says what is known.";
    let tag = "Names how the job stands.";
    let held = unfinished(document("The status document.", example("processing")));
    let same = Answer::new("Nothing is new.").header("ETag", tag);
    Operation::new(id, TAG, summary)
        .about(about)
        .parameters(wait())
        .parameters([if_none_match()])
        .answers("200", held.header("ETag", tag))
        .answers("304", unfinished(same))
        .fails(&[P::JobNotFound, P::InvalidParameter])
}

fn delete() -> Operation {
    let about = "Cancels an unfinished job: its exchange with the backend is closed. Forgets a \
                 finished one.";
    Operation::new("deleteJob", TAG, "Cancel the job, or forget it")
        .about(about)
        .answers("200", document("Cancelled.", example("cancelled")))
        .answers("204", Answer::new("Forgotten."))
        .fails(&[P::JobNotFound, P::JobStateConflict])
}

fn result() -> Operation {
    let about = "The backend's response as it was: status, fields, body, trailers. A result with \
                 status 200 has an `ETag` and is served in parts. A job that ended without a \
                 response is answered with its problem. A browser that opens this address sees a \
                 page instead of a document or a problem.\n\nWith `follow` it is answered while the \
                 backend still writes: ranges then have no known end, and a stream of events goes \
                 on behind `Last-Event-ID`.";
    let waiting = document("Not there yet: the status document.", example("processing"))
        .header("Location", "The job.")
        .text("text/html");
    let moved = document(
        "Not there yet, for a client that follows redirects.",
        example("queued"),
    )
    .header("Location", "Where the next wait is.");
    let id = |answer: Answer| answer.maybe("Raincheck-Job-Id", "The job's id.");
    let whole = id(Answer::new("The backend's response, whole.").anything());
    let part = Answer::new("The part that was asked for.").anything();
    let any = Answer::new("The backend's response, whatever its status. No `Raincheck-Error`.");
    let page = || {
        Answer::new("The job ended without a response.")
            .text("text/html")
            .header("Raincheck-Error", "Always `gateway`.")
    };
    Operation::new("getResult", TAG, "The response")
        .about(about)
        .parameters(wait())
        .parameters([
            follow(),
            hop(),
            if_match(),
            if_none_match(),
            last_event_id(),
        ])
        .parameters(range())
        .answers(
            "204",
            id(Answer::new(
                "With `follow` and `Last-Event-ID`: the last event was seen, do not come again.",
            )),
        )
        .answers("200", whole.maybe("ETag", "Names these bytes."))
        .answers("202", unfinished(waiting))
        .answers(
            "206",
            part.header("Content-Range", "Which part of how many bytes."),
        )
        .answers("303", moved)
        .answers(
            "304",
            Answer::new("The tag that was named is this one.").header("ETag", "It."),
        )
        .answers("410", page())
        .answers("502", page())
        .answers("504", page())
        .answers("default", id(any.anything()))
        .fails(&[P::JobNotFound, P::InvalidParameter])
        .fails(&[P::PreconditionFailed, P::RangeNotSatisfiable])
        .fails(&ENDS)
}

fn events() -> Operation {
    let about = "Server-Sent Events, from how the job stands to its end. `status` events carry a \
                 status document, `progress` events what the backend reported last. A reader that \
                 comes again names the last id it has seen. With `Upgrade: websocket` the same on a \
                 WebSocket.";
    let stream = Answer::new("The events; the schema is that of one of them.")
        .content("text/event-stream", reference("Event"))
        .header("Raincheck-Job-Id", "The job's id.");
    Operation::new("getEvents", TAG, "How the job goes, as it happens")
        .about(about)
        .parameters([last_event_id()])
        .answers("200", stream)
        .answers(
            "204",
            Answer::new("The last event was seen: do not come again."),
        )
        .fails(&[P::JobNotFound])
}

fn cancel() -> Operation {
    let page = Answer::new("A browser is sent to where the result would have been.");
    Operation::new("cancelJob", TAG, "Cancel the job")
        .about("For forms, which know no DELETE.")
        .answers("200", document("Cancelled.", example("cancelled")))
        .answers("303", page.header("Location", "The result."))
        .fails(&[P::JobNotFound, P::JobStateConflict])
}

fn retry() -> Operation {
    let queued = unfinished(document("It is in the queue again.", example("queued")));
    Operation::new(
        "retryJob",
        TAG,
        "Run a failed, cancelled or expired job again",
    )
    .answers("202", queued.header("Location", "The job."))
    .fails(&[P::JobNotFound, P::JobStateConflict, P::QueueFull])
}

fn deliveries() -> Operation {
    let list = Answer::new("The deliveries; none where the job named no callback URL.");
    let list = list.json("Deliveries", example_deliveries());
    Operation::new(
        "getDeliveries",
        TAG,
        "How the caller is told of the job's end",
    )
    .about("Of what a receiver answers only the status is kept.")
    .answers("200", list.header("Raincheck-Job-Id", "The job's id."))
    .fails(&[P::JobNotFound])
}

fn redeliver() -> Operation {
    let list = Answer::new("It will be sent at once.").json("Deliveries", example_deliveries());
    Operation::new("redeliver", TAG, "Tell of the job's end once more")
        .about("Under the same `webhook-id`, and with a new schedule of tries.")
        .answers("202", list.header("Raincheck-Job-Id", "The job's id."))
        .fails(&[P::JobNotFound, P::DeliveryNotFound, P::JobStateConflict])
}

fn report(id: &str) -> Operation {
    let about = "For backends: the URL is in `Raincheck-Progress` of each request of an auto or \
                 async route, and is good for one attempt. 409 says that the attempt is over.";
    let example = json!({ "percent": 40, "message": "page 4 of 10" });
    Operation::new(id, TAG, "Report how far the work is")
        .about(about)
        .takes("Report", example)
        .answers("204", Answer::new("Taken."))
        .fails(&[P::InvalidParameter, P::JobStateConflict, P::RequestTooLarge])
}
