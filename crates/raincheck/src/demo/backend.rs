//! A backend that takes its time: `/report` works for a while, anything else answers at once.

use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderValue;
use http::{Request, Response, header};
use raincheck_exchange::Payload;
use raincheck_gateway::server::{Abort, Arriving, Handler, Peer};

/// The backend.
pub struct SlowBackend {
    work: Duration,
}

impl SlowBackend {
    /// A backend whose reports take this long.
    pub fn new(work: Duration) -> Self {
        Self { work }
    }
}

impl Handler for SlowBackend {
    type Body = Payload;

    async fn handle(
        &self,
        request: Request<Arriving>,
        _peer: Arc<Peer>,
    ) -> Result<Response<Payload>, Abort> {
        let text = match request.uri().path() {
            "/report" => {
                tokio::time::sleep(self.work).await;
                report(self.work)
            }
            _ => "this one is fast\n".to_owned(),
        };
        let mut response = Response::new(Payload::from(text.into_bytes()));
        let kind = HeaderValue::from_static("text/csv; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(response)
    }
}

fn report(work: Duration) -> String {
    let mut report = String::from("page,revenue\n");
    for page in 1..=1000 {
        report.push_str(&format!("{page},{}\n", page * 37 % 1009));
    }
    report.push_str(&format!("# made in {} s\n", work.as_secs()));
    report
}
