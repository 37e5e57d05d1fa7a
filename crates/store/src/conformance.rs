//! One suite for every engine: what [`crate::Store`] promises, as tests, one file per capability.
//!
//! An engine's crate says how it is opened, and gets all tests:
//!
//! ```text
//! struct Disk(tempfile::TempDir);
//!
//! impl raincheck_store::conformance::Engine for Disk {
//!     async fn open(&self) -> Arc<dyn Store> { /* open the store in self.0 */ }
//! }
//!
//! raincheck_store::conformance!(Disk(tempfile::tempdir().unwrap()));
//! ```
//!
//! The expression is evaluated once for each test. Tests of a capability run twice: once in one
//! life of the engine, and once with the engine closed and opened anew at every
//! [`Bench::pause`], so that nothing can hold in memory alone. [`histories`] compares an engine
//! with the model over random operations:
//!
//! ```text
//! histories(16, || Disk(tempfile::tempdir().unwrap()), Memory::default);
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is test code, kept here for the engines' crates"
)]

pub mod bench;
pub mod bodies;
pub mod commit;
pub mod deliveries;
pub mod histories;
pub mod idempotency;
pub mod jobs;
pub mod make;
mod memory;
pub mod queue;
pub mod reopen;

use std::future::Future;
use std::sync::Arc;

pub use bench::Bench;
pub use memory::Memory;

use crate::Store;

/// One place where a store may live, empty at first.
pub trait Engine: Send + Sync {
    /// Opens the store there. Called again only after the last store was closed and dropped, it
    /// finds what that one left.
    fn open(&self) -> impl Future<Output = Arc<dyn Store>> + Send;
}

/// All tests, for the engine that the expression makes; see the module of this name.
#[macro_export]
macro_rules! conformance {
    ($engine:expr) => {
        fn conformance_engine() -> impl $crate::conformance::Engine {
            $engine
        }

        $crate::conformance_tests! { twice;
            commit: a_new_job_is_read_back_whole, every_kind_of_job_is_read_back,
                extreme_values_are_read_back, a_change_replaces_the_job,
                an_id_is_taken_once, a_stale_revision_is_refused,
                a_change_of_no_job_is_refused, an_older_attempt_is_fenced,
                a_refused_change_changes_nothing, a_response_is_read_back_whole,
                a_response_is_replaced, a_response_is_dropped, a_job_is_forgotten,
                of_two_changes_at_once_one_wins, many_changes_at_once_all_stand;
            jobs: the_newest_come_first, lists_are_filtered, the_jobs_of_a_list_are_whole,
                a_cursor_walks_every_job_once, a_cursor_need_not_be_a_job,
                a_page_has_a_bound, counts_follow_every_change;
            idempotency: a_key_leads_to_its_job, what_is_in_memory_is_what_is_stored,
                a_key_that_is_taken_changes_nothing, a_job_that_is_there_keeps_its_key,
                a_key_is_given_up_by_the_job_that_was_looked_at, a_key_goes_with_its_job,
                of_many_claims_at_once_one_wins, a_job_that_begins_at_once_has_its_key;
            queue: those_due_longest_come_first, nothing_comes_before_it_is_due,
                routes_have_queues_of_their_own, a_job_has_one_lease_at_a_time,
                one_job_is_leased_whatever_its_due_time,
                a_lease_outlives_the_attempts_of_its_job, leased_jobs_do_not_hide_others,
                a_lease_runs_out, a_renewed_lease_holds_longer,
                takers_at_once_share_the_queue, a_job_put_off_comes_when_it_is_due_again,
                only_queued_jobs_wait, a_job_that_waits_past_its_deadline_is_overdue,
                a_job_at_work_is_not_overdue,
                a_finished_job_is_overdue_after_its_retention,
                a_second_run_is_not_overdue_with_the_first, overdue_jobs_come_in_portions;
            deliveries: an_end_is_to_be_told_from_the_commit_that_ends_the_job,
                a_walk_meets_each_once, what_came_of_it_is_read_back_whole,
                a_job_is_not_overdue_while_its_end_is_to_be_told;
            bodies: bodies_of_all_lengths_are_read_back, pieces_of_any_size_become_one_body,
                reading_begins_anywhere, a_body_is_read_while_it_grows,
                readers_do_not_disturb_each_other,
                a_dropped_writer_leaves_its_readers_what_they_had,
                a_sealed_body_is_read_at_once, a_sealed_body_becomes_durable_once,
                a_body_goes_with_its_job, a_refused_change_leaves_no_body, a_body_of_another_length_is_not_opened,
                many_bodies_are_written_at_once;
        }
        $crate::conformance_tests! { once;
            reopen: an_empty_store_is_opened_again, a_store_is_opened_many_times, leases_end,
                jobs_at_work_are_orphans, bodies_without_a_job_are_gone,
                a_new_body_does_not_take_the_place_of_an_old_one,
                what_was_handed_over_before_the_end_is_kept, a_closed_store_takes_no_calls,
                a_store_is_closed_twice;
        }
    };
}

/// Writes the tests of [`conformance!`] out; not for use by itself.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    (twice; $($file:ident: $($test:ident),+;)+) => {
        $(mod $file {
            mod in_one_life {
                $(#[tokio::test]
                async fn $test() {
                    let engine = super::super::conformance_engine();
                    let bench = $crate::conformance::Bench::in_one_life(engine).await;
                    $crate::conformance::$file::$test(bench).await;
                })+
            }
            mod reopened {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let engine = super::super::conformance_engine();
                    let bench = $crate::conformance::Bench::reopened(engine).await;
                    $crate::conformance::$file::$test(bench).await;
                })+
            }
        })+
    };
    (once; $($file:ident: $($test:ident),+;)+) => {
        $(mod $file {
            $(#[tokio::test]
            async fn $test() {
                let engine = super::conformance_engine();
                let bench = $crate::conformance::Bench::in_one_life(engine).await;
                $crate::conformance::$file::$test(bench).await;
            })+
        })+
    };
}
