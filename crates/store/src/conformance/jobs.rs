//! What reading promises: every acknowledged change is seen, lists are in order and complete.

#![expect(missing_docs, reason = "the name of a test says what it shows")]

use raincheck_core::id::{JobId, RouteName};
use raincheck_core::job::{Event, Job, Status};
use raincheck_core::limits::LIST_PAGE;

use super::make::{self, at, id, route};
use super::{Bench, Engine};
use crate::{Change, Filter, Store};

/// The counts that are not zero, in order.
pub fn counts<E: Engine>(bench: &Bench<E>) -> Vec<(RouteName, Status, u64)> {
    counts_of(&**bench)
}

/// The same of a store.
pub(super) fn counts_of(store: &dyn Store) -> Vec<(RouteName, Status, u64)> {
    let mut counts = store.counts();
    counts.retain(|(_, _, count)| *count > 0);
    counts.sort();
    counts
}

fn all() -> Filter {
    Filter {
        limit: LIST_PAGE,
        ..Filter::default()
    }
}

/// Every job that a filter lets through, page by page.
pub(super) async fn listed(store: &dyn Store, mut filter: Filter) -> Vec<Job> {
    let mut jobs = Vec::new();
    loop {
        let page = store.list(filter.clone()).await.unwrap();
        assert!(page.jobs.len() <= filter.limit, "more jobs than asked for");
        assert_eq!(page.damaged, []);
        jobs.extend(page.jobs);
        assert!(jobs.is_sorted_by(|a, b| a.id() > b.id()), "newest first");
        match page.next {
            Some(next) => {
                let on = filter.before.is_none_or(|before| next < before);
                assert!(on, "the cursor stands still");
                filter.before = Some(next);
            }
            None => return jobs,
        }
    }
}

async fn ids(bench: &Bench<impl Engine>, filter: Filter) -> Vec<JobId> {
    let jobs = listed(&**bench, filter).await;
    jobs.iter().map(Job::id).collect()
}

/// Jobs 1 to 8: odd ones of route "a", even ones of "b"; 1 and 2 cancelled, 3 and 4 processing.
async fn eight(bench: &Bench<impl Engine>) {
    for number in [3, 1, 4, 2, 8, 6, 5, 7] {
        let name = if number % 2 == 1 { "a" } else { "b" };
        let job = bench.accept(number, name, at(u64::from(number))).await;
        match number {
            1 | 2 => bench.becomes(&job, Event::Cancel, at(10)).await,
            3 | 4 => bench.becomes(&job, Event::Start, at(10)).await,
            _ => continue,
        };
    }
}

pub async fn the_newest_come_first(mut bench: Bench<impl Engine>) {
    assert_eq!(ids(&bench, all()).await, []);
    eight(&bench).await;
    bench.pause().await;
    let expected = [8, 7, 6, 5, 4, 3, 2, 1].map(id);
    assert_eq!(ids(&bench, all()).await, expected);
}

pub async fn lists_are_filtered(mut bench: Bench<impl Engine>) {
    eight(&bench).await;
    bench.pause().await;
    let of = |status, name: Option<&str>| Filter {
        status,
        route: name.map(route),
        ..all()
    };
    let queued = ids(&bench, of(Some(Status::Queued), None)).await;
    assert_eq!(queued, [8, 7, 6, 5].map(id));
    assert_eq!(ids(&bench, of(None, Some("a"))).await, [7, 5, 3, 1].map(id));
    let both = ids(&bench, of(Some(Status::Cancelled), Some("b"))).await;
    assert_eq!(both, [id(2)]);
    assert_eq!(ids(&bench, of(Some(Status::Expired), None)).await, []);
    assert_eq!(ids(&bench, of(None, Some("c"))).await, []);
}

pub async fn the_jobs_of_a_list_are_whole(mut bench: Bench<impl Engine>) {
    eight(&bench).await;
    bench.pause().await;
    for job in listed(&*bench, all()).await {
        assert_eq!(bench.job(job.id()).await, Ok(Some(job)));
    }
}

pub async fn a_cursor_walks_every_job_once(mut bench: Bench<impl Engine>) {
    eight(&bench).await;
    bench.pause().await;
    for limit in 1..10 {
        let filter = Filter { limit, ..all() };
        let expected = [8, 7, 6, 5, 4, 3, 2, 1].map(id);
        assert_eq!(ids(&bench, filter.clone()).await, expected);
        let odd = Filter {
            route: Some(route("a")),
            ..filter.clone()
        };
        assert_eq!(ids(&bench, odd).await, [7, 5, 3, 1].map(id));
        let queued = Filter {
            status: Some(Status::Queued),
            ..filter
        };
        assert_eq!(ids(&bench, queued).await, [8, 7, 6, 5].map(id));
    }
}

pub async fn a_cursor_need_not_be_a_job(mut bench: Bench<impl Engine>) {
    eight(&bench).await;
    bench.happen(id(2), Event::Forget, at(11)).await;
    bench.pause().await;
    let before = |number| Filter {
        before: Some(id(number)),
        ..all()
    };
    assert_eq!(ids(&bench, before(4)).await, [3, 1].map(id), "exclusive");
    assert_eq!(ids(&bench, before(2)).await, [id(1)]);
    assert_eq!(ids(&bench, before(0)).await, []);
    assert_eq!(ids(&bench, before(200)).await.len(), 7);
}

pub async fn a_page_has_a_bound(bench: Bench<impl Engine>) {
    let count = LIST_PAGE + 1;
    let commits = (0..count).map(|number| {
        let mut job = make::submission(0, "r");
        let now = at(number as u64);
        job.id = JobId::from_parts(now, [0; 10]);
        let put = make::put(raincheck_core::job::submit(job, now));
        let store = bench.handle();
        tokio::spawn(async move { store.commit(Change::Put(Box::new(put))).await })
    });
    for commit in commits.collect::<Vec<_>>() {
        commit.await.unwrap().unwrap();
    }
    let greedy = Filter {
        limit: usize::MAX,
        ..all()
    };
    let page = bench.list(greedy.clone()).await.unwrap();
    assert_eq!(page.jobs.len(), LIST_PAGE);
    assert_eq!(listed(&*bench, greedy).await.len(), count);
}

pub async fn counts_follow_every_change(mut bench: Bench<impl Engine>) {
    assert_eq!(counts(&bench), []);
    eight(&bench).await;
    bench.pause().await;
    let (a, b) = (route("a"), route("b"));
    let expected = |gone: usize| {
        let mut counts = vec![
            (a.clone(), Status::Queued, 2),
            (a.clone(), Status::Processing, 1),
            (a.clone(), Status::Cancelled, 1),
            (b.clone(), Status::Queued, 2),
            (b.clone(), Status::Processing, 1),
            (b.clone(), Status::Cancelled, 1),
        ];
        counts.truncate(6 - gone);
        counts
    };
    assert_eq!(counts(&bench), expected(0));
    bench.happen(id(2), Event::Forget, at(11)).await;
    bench.pause().await;
    assert_eq!(counts(&bench), expected(1));
    bench.happen(id(1), Event::Retry, at(11)).await;
    bench.pause().await;
    assert_eq!(counts(&bench)[0], (a.clone(), Status::Queued, 3));
}
