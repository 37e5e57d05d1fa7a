//! Forward and relay: nothing is stored, and the client's going away ends the exchange.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http_body::Body as _;
use raincheck_core::head::RequestHead;
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_core::route::Route;
use raincheck_exchange::open::{Bounds, open};
use raincheck_exchange::{Outbound, Payload, replay};
use raincheck_runner::Permit;
use raincheck_upstreams::OutBody;

use crate::client_body::{Blame, ClientBody};
use crate::connection::arriving::Arriving;
use crate::intake;
use crate::service::{Service, failed};

impl Service {
    /// Relays one request.
    pub(crate) async fn relay(
        &self,
        route: &Arc<Route>,
        head: RequestHead,
        incoming: Arriving,
    ) -> Result<Response<Payload>, Problem> {
        intake::check_size(&incoming, route.max_request)?;
        let permit = self.permit(route).await?;
        let runner = self.runner();
        let now = runner.ambient().now();
        let timeouts = Timeouts::new(route, None);
        let outbound = Outbound {
            job: runner.ambient().job_id_at(now),
            attempt: 1,
            deadline: timeouts.total.map(|total| now.after(total)),
            progress: None,
        };
        let repeatable = route.repeats(&head.method);
        let blame = Blame::default();
        let mut client = None;
        let body = if incoming.is_end_stream() {
            OutBody::Empty
        } else {
            let idle = self.options().body_idle_timeout;
            let mut body = ClientBody::new(incoming, route.max_request, idle, Arc::clone(&blame));
            client = Some(body.time());
            OutBody::Stream(Box::pin(body))
        };
        let mut request = outbound.request(route.dressed(head), body);
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        let bounds = Bounds {
            timeouts,
            max_response: route.max_response,
            attended: Duration::ZERO,
        };
        match open(runner.upstreams(), &route.upstream, request, bounds).await {
            Ok(opened) => {
                let mut opened = opened.shown_by(route);
                opened.body.attach(permit);
                Ok(replay::relay(opened))
            }
            Err(failure) => Err(match blame.get() {
                Some(problem) => problem.clone().after(failure.seen.maybe(), repeatable),
                None => failed(&failure, repeatable),
            }),
        }
    }

    /// A permit of the route, waited for no longer than connecting may take.
    pub(crate) async fn permit(&self, route: &Route) -> Result<Permit, Problem> {
        if let Some(permit) = self.runner().try_permit(route) {
            return Ok(permit);
        }
        let wait = tokio::time::timeout(route.connect_timeout, self.runner().permit(route));
        wait.await.map_err(|_| {
            let detail = format!(
                "{} exchanges of route '{}' are in flight and none ended in {:?} (concurrency)",
                route.concurrency, route.name, route.connect_timeout
            );
            let wait = Duration::from_secs(1);
            Problem::new(ProblemCode::Overloaded, detail).retry_after(wait)
        })
    }
}
