//! The checker of histories bites: a good history passes, and each promise has one in which it
//! alone is broken.

use raincheck_e2e::history::{
    Arrival, Breach, Followed, History, Promise, Sight, Told, answer_body, calls_back, key,
    repeatable, request_body,
};

const JOB: &str = "01997f6c-0000-7000-8000-000000000001";
const NUMBER: u64 = 7;

fn status(status: &str, executions: u64) -> Sight {
    Sight::Status {
        status: status.to_owned(),
        executions,
        finished_at: (status == "succeeded").then(|| "12:00:00".to_owned()),
        code: None,
    }
}

fn interrupted(code: &str) -> Sight {
    Sight::Status {
        status: "failed".to_owned(),
        executions: 1,
        finished_at: Some("12:00:00".to_owned()),
        code: Some(code.to_owned()),
    }
}

fn answer(index: u64) -> Sight {
    Sight::Answer {
        status: 200,
        body: answer_body(NUMBER, index).into_bytes(),
    }
}

fn arrival(attempt: u32, index: u64) -> Arrival {
    Arrival {
        job: JOB.to_owned(),
        attempt,
        number: NUMBER,
        index,
        body: (request_body(NUMBER).into_bytes(), true),
    }
}

fn history(repeatable: bool, sights: &[Sight], arrivals: &[Arrival]) -> History {
    let promise = Promise {
        number: NUMBER,
        repeatable,
        brief: false,
    };
    History {
        promises: [(JOB.to_owned(), promise)].into(),
        sights: sights
            .iter()
            .map(|sight| (JOB.to_owned(), sight.clone()))
            .collect(),
        arrivals: arrivals.to_vec(),
        ..History::default()
    }
}

fn breaches(history: &History) -> Vec<Breach> {
    history
        .broken(true)
        .iter()
        .map(|broken| broken.promise)
        .collect()
}

#[test]
fn good_histories_pass() {
    let once = [
        status("queued", 0),
        status("processing", 1),
        status("succeeded", 1),
        answer(3),
        status("succeeded", 1),
        answer(3),
    ];
    assert_eq!(breaches(&history(false, &once, &[arrival(1, 3)])), []);
    let again = [
        status("processing", 1),
        status("queued", 1),
        status("succeeded", 2),
        answer(9),
    ];
    assert_eq!(
        breaches(&history(true, &again, &[arrival(1, 3), arrival(2, 9)])),
        []
    );
    // Counted, but never seen: the process died in between.
    let unsure = [status("processing", 1), interrupted("interrupted")];
    assert_eq!(breaches(&history(false, &unsure, &[])), []);
    assert_eq!(breaches(&history(false, &unsure, &[arrival(1, 0)])), []);
    let mut brief = history(false, &[status("queued", 0), Sight::Gone], &[arrival(1, 0)]);
    if let Some(promise) = brief.promises.get_mut(JOB) {
        promise.brief = true;
    }
    assert_eq!(breaches(&brief), []);
}

#[test]
fn a_lost_job_is_found() {
    let seen = [status("queued", 0), Sight::Gone];
    assert_eq!(breaches(&history(false, &seen, &[])), [Breach::Lost]);
    let mut brief = history(true, &seen, &[]);
    if let Some(promise) = brief.promises.get_mut(JOB) {
        promise.brief = true;
    }
    assert_eq!(breaches(&brief), [Breach::Lost], "it cannot have ended");
}

#[test]
fn a_second_end_is_found() {
    let once = arrival(1, 3);
    for then in [
        status("succeeded", 2),
        status("queued", 1),
        status("processing", 2),
    ] {
        let seen = [status("succeeded", 1), then, status("succeeded", 1)];
        let found = breaches(&history(true, &seen, std::slice::from_ref(&once)));
        assert!(found.contains(&Breach::EndedTwice), "{found:?}");
    }
    let other = [status("succeeded", 2), answer(3), answer(4)];
    let found = breaches(&history(true, &other, &[once.clone(), arrival(2, 4)]));
    assert_eq!(found, [Breach::EndedTwice]);
    let back = [status("succeeded", 1), Sight::Gone, status("succeeded", 1)];
    let mut brief = history(true, &back, &[once]);
    if let Some(promise) = brief.promises.get_mut(JOB) {
        promise.brief = true;
    }
    assert_eq!(breaches(&brief), [Breach::EndedTwice]);
}

#[test]
fn a_job_that_never_ends_is_found() {
    let seen = [status("queued", 0), status("processing", 1)];
    let history = history(true, &seen, &[arrival(1, 0)]);
    assert_eq!(breaches(&history), [Breach::Unfinished]);
    assert_eq!(history.broken(false), [], "it may still end");
    assert_eq!(breaches(&unwatched()), [Breach::Unfinished]);
}

/// Nobody looked.
fn unwatched() -> History {
    history(true, &[], &[])
}

#[test]
fn a_failure_without_a_reason_is_found() {
    let one = [arrival(1, 0)];
    let found = |repeatable, code| breaches(&history(repeatable, &[interrupted(code)], &one));
    assert_eq!(found(true, "interrupted"), [Breach::Failed]);
    assert_eq!(found(false, "storage-damaged"), [Breach::Failed]);
    let storage = [interrupted("store-unavailable")];
    let mut failed = history(true, &storage, &one);
    assert_eq!(breaches(&failed), [Breach::Failed]);
    failed.disk_failed = true;
    assert_eq!(breaches(&failed), []);
    let expired = [status("expired", 1)];
    assert_eq!(breaches(&history(false, &expired, &one)), [Breach::Failed]);
}

#[test]
fn another_answer_is_found() {
    let one = [arrival(1, 3)];
    let wrong = [
        answer(4),
        Sight::Answer {
            status: 200,
            body: answer_body(NUMBER, 3).into_bytes()[1..].to_vec(),
        },
        Sight::Answer {
            status: 502,
            body: answer_body(NUMBER, 3).into_bytes(),
        },
    ];
    for wrong in wrong {
        let seen = [status("succeeded", 1), wrong];
        assert_eq!(
            breaches(&history(false, &seen, &one)),
            [Breach::OtherAnswer]
        );
    }
}

#[test]
fn another_request_is_found() {
    let seen = [status("succeeded", 1)];
    let mut cut = arrival(1, 0);
    cut.body.0.truncate(3);
    assert_eq!(
        breaches(&history(false, &seen, &[cut.clone()])),
        [Breach::OtherRequest]
    );
    cut.body.1 = false;
    assert_eq!(breaches(&history(false, &seen, &[cut.clone()])), []);
    cut.body.0[0] ^= 1;
    assert_eq!(
        breaches(&history(false, &seen, &[cut])),
        [Breach::OtherRequest]
    );
}

#[test]
fn too_many_sends_are_found() {
    let seen = [status("succeeded", 1)];
    let twice = [arrival(1, 0), arrival(2, 1)];
    assert_eq!(
        breaches(&history(true, &seen, &twice)),
        [Breach::Undercounted]
    );
    let counted = [status("succeeded", 2)];
    assert_eq!(
        breaches(&history(false, &counted, &twice)),
        [Breach::SentAgain]
    );
    let same = [arrival(1, 0), arrival(1, 1)];
    assert_eq!(
        breaches(&history(true, &counted, &same)),
        [Breach::AttemptSentTwice]
    );
}

const OTHER: &str = "01997f6c-0000-7000-8000-000000000002";
/// Requests with a key.
const POST: u64 = 3;
const PUT: u64 = 6;

/// Two jobs under one key: the first was seen so often and ended so, the second ran once.
fn under_one_key(number: u64, seen: u32, first: &[Sight]) -> History {
    assert!(key(number).is_some());
    let promise = Promise {
        number,
        repeatable: repeatable(number),
        brief: false,
    };
    let mut arrivals: Vec<_> = (1..=seen).map(|at| arrival(at, at.into())).collect();
    arrivals.push(Arrival {
        job: OTHER.to_owned(),
        ..arrival(1, 9)
    });
    for arrival in &mut arrivals {
        arrival.number = number;
        arrival.body.0 = request_body(number).into_bytes();
    }
    let first = first.iter().map(|sight| (JOB, sight.clone()));
    let second = [(OTHER, status("succeeded", 1))];
    History {
        promises: [(JOB.to_owned(), promise), (OTHER.to_owned(), promise)].into(),
        sights: first
            .chain(second)
            .map(|(id, sight)| (id.to_owned(), sight))
            .collect(),
        arrivals,
        disk_failed: true,
        ..History::default()
    }
}

#[test]
fn a_second_run_under_one_key_is_found() {
    for number in [POST, PUT] {
        let twice = under_one_key(number, 1, &[status("succeeded", 1)]);
        assert_eq!(breaches(&twice), [Breach::RunTwice], "an answer was stored");
        let mut untold = twice.clone();
        untold.promises.remove(JOB);
        assert_eq!(breaches(&untold), [Breach::RunTwice], "of no one's ticket");
        untold.promises.remove(OTHER);
        assert_eq!(breaches(&untold), [Breach::RunTwice], "of held clients");
        let still = under_one_key(number, 1, &[status("processing", 1)]);
        assert!(breaches(&still).contains(&Breach::RunTwice));
    }
    // It may not be repeated, and the backend saw it, or may have.
    for (seen, code) in [
        (1, "interrupted"),
        (0, "interrupted"),
        (1, "store-unavailable"),
    ] {
        let twice = under_one_key(POST, seen, &[interrupted(code)]);
        assert_eq!(breaches(&twice), [Breach::RunTwice], "{seen} {code}");
    }
    let told = [status("processing", 1), status("queued", 0)];
    assert_eq!(under_one_key(POST, 0, &told).broken(false), []);
    let early = under_one_key(POST, 1, &told).broken(false);
    assert_eq!(early.len(), 1, "nothing that comes later makes this good");
}

#[test]
fn what_ended_without_an_answer_may_be_run_anew_under_its_key() {
    let ended = [interrupted("store-unavailable")];
    assert_eq!(breaches(&under_one_key(PUT, 1, &ended)), []);
    let mut unsent = interrupted("store-unavailable");
    if let Sight::Status { executions, .. } = &mut unsent {
        *executions = 0;
    }
    assert_eq!(breaches(&under_one_key(POST, 0, &[unsent.clone()])), []);
    let sent = breaches(&under_one_key(POST, 1, &[unsent]));
    assert_eq!(sent, [Breach::Undercounted, Breach::RunTwice]);
}

#[test]
fn bytes_of_another_answer_are_found() {
    let seen = [status("succeeded", 2), answer(9)];
    let followed = |bytes: String, whole: bool| {
        let mut history = history(true, &seen, &[arrival(1, 3), arrival(2, 9)]);
        let bytes = bytes.into_bytes();
        history
            .followed
            .push((JOB.to_owned(), Followed { bytes, whole }));
        breaches(&history)
    };
    let (first, second) = (answer_body(NUMBER, 3), answer_body(NUMBER, 9));
    assert_eq!(followed(second.clone(), true), []);
    assert_eq!(followed(second[..5].to_owned(), false), []);
    assert_eq!(followed(first[..5].to_owned(), false), []);
    assert_eq!(followed(first.clone(), true), [], "not stored in time");
    for (bytes, whole) in [
        (format!("{}{}", &first[..3], &second[2..]), false),
        (second[..5].to_owned(), true),
        (answer_body(NUMBER, 4), true),
        (second + "a", false),
    ] {
        assert_eq!(followed(bytes, whole), [Breach::OtherBytes]);
    }
}

#[test]
fn an_end_that_is_not_told_or_told_otherwise_is_found() {
    let number = (0..10).find(|number| calls_back(*number)).unwrap();
    let one = Arrival {
        number,
        body: (request_body(number).into_bytes(), true),
        ..arrival(1, 3)
    };
    let end = status("succeeded", 1);
    let told = |told: &[(&str, &str, Sight)], sights: &[Sight], ended: bool| {
        let mut history = history(true, sights, std::slice::from_ref(&one));
        history.promises.get_mut(JOB).unwrap().number = number;
        let told = told.iter().map(|(event, kind, sight)| Told {
            job: JOB.to_owned(),
            event: (*event).to_owned(),
            kind: (*kind).to_owned(),
            sight: sight.clone(),
        });
        history.told = told.collect();
        let broken = history.broken(ended);
        broken
            .iter()
            .map(|broken| broken.promise)
            .collect::<Vec<_>>()
    };
    let once = ("1", "job.succeeded", end.clone());
    let seen = [end];
    assert_eq!(told(&[once.clone(), once.clone()], &seen, true), []);
    assert_eq!(told(&[], &seen, true), [Breach::Untold]);
    assert_eq!(told(&[], &seen, false), [], "it may still be told");
    for other in [
        ("2", "job.succeeded", status("succeeded", 1)),
        ("1", "job.failed", status("succeeded", 1)),
        ("1", "job.failed", interrupted("interrupted")),
        ("1", "job.succeeded", status("succeeded", 2)),
    ] {
        let found = told(&[once.clone(), other], &seen, true);
        assert_eq!(found, [Breach::ToldOtherwise]);
    }
    // Of a job that has not ended nothing is told.
    let early = ("1", "job.processing", status("processing", 1));
    let sights = [status("processing", 1)];
    assert_eq!(told(&[early], &sights, false), [Breach::ToldOtherwise]);
}
