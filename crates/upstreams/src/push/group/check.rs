//! Health checks: a request of our own to a server, on a connection of its own, again and again.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode};
use http_body::Body as _;
use raincheck_core::outcome::Failure;
use raincheck_core::policy::balance::spread;
use raincheck_core::route::Group;
use raincheck_core::route::upstream::HealthCheck;
use tokio::time::{Instant, sleep, timeout};

use super::super::answer::AnswerBody;
use super::super::body::OutBody;
use super::super::pool::{Pool, Upstreams};
use super::server::Server;

/// Bytes of a check's answer that are read; what is longer is cut.
const ANSWER_BYTES: usize = 64 * 1024;

/// Checks a server until the pool is gone or the task is stopped. Times spread by a tenth, so that
/// the checks of many servers do not fall together; `place` makes the times of one its own.
pub(super) fn run(
    pool: Pool,
    server: Arc<Server>,
    place: u64,
    begun: Instant,
    group: &Arc<Group>,
    health: &HealthCheck,
) -> impl Future<Output = ()> + Send + 'static {
    let (group, health) = (Arc::clone(group), health.clone());
    async move {
        let mut turn = place;
        while let Some(pool) = pool.upgrade() {
            let came = timeout(health.timeout, ask(&pool, &server, &health)).await;
            drop(pool);
            let complaint = match came {
                Ok(Ok(status)) if health.status.contains(&status.as_u16()) => None,
                Ok(Ok(status)) => Some(format!("answered {status}")),
                Ok(Err(failure)) => Some(failure.detail),
                Err(_) => Some(format!("no answer within {:?}", health.timeout)),
            };
            server.checked(complaint, &health, begun.elapsed(), &group);
            turn = turn.wrapping_add(1);
            sleep(jittered(health.interval, turn)).await;
        }
    }
}

fn jittered(interval: Duration, turn: u64) -> Duration {
    let fifth = u64::try_from(interval.as_micros() / 5).unwrap_or(u64::MAX);
    interval - interval / 10 + Duration::from_micros(spread(turn, fifth))
}

/// One check; the status of its answer.
async fn ask(
    pool: &Upstreams,
    server: &Server,
    health: &HealthCheck,
) -> Result<StatusCode, Failure> {
    let mut request = Request::new(OutBody::Empty);
    if let Ok(path) = health.path.parse() {
        *request.uri_mut() = path;
    }
    let headers = request.headers_mut();
    if let Ok(host) = HeaderValue::try_from(server.host.upstream.authority()) {
        headers.insert(HOST, host);
    }
    headers.insert(USER_AGENT, HeaderValue::from_static("raincheck-health"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let answer = pool.probe(&server.host, request, health.timeout).await?;
    drain(answer.body).await?;
    Ok(answer.head.status)
}

/// Reads an answer to its end, so that its connection is closed and not reset.
async fn drain(mut body: AnswerBody) -> Result<(), Failure> {
    let mut bytes = 0;
    loop {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await;
        let Some(frame) = frame.transpose()? else {
            return Ok(());
        };
        bytes += frame.data_ref().map_or(0, bytes::Bytes::len);
        if bytes > ANSWER_BYTES {
            return Ok(());
        }
    }
}
