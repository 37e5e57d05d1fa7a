//! What is sent: the job's status document as data of an event. The same bytes in every try.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};
use raincheck_core::callback::{Delivery, MessageFormat};
use raincheck_core::job::Job;
use raincheck_core::time::Timestamp;
use serde_json::{Value, json};

use super::Webhooks;
use crate::status;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// A message, ready to be posted.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) fields: HeaderMap,
    pub(super) body: Bytes,
}

impl Message {
    /// What tells of a job's end in a try at `now`. `result` is its response body, where that is
    /// small JSON. None: it cannot be written, which no job leads to.
    pub(super) fn new(
        webhooks: &Webhooks,
        job: &Job,
        delivery: &Delivery,
        result: Option<Value>,
        now: Timestamp,
    ) -> Option<Self> {
        let id = delivery.webhook_id(job.id());
        let data = status::document(job, &webhooks.links, None, result);
        let (kind, event) = match webhooks.format {
            MessageFormat::Standard => ("application/json", standard(job, delivery, data)),
            MessageFormat::CloudEvents => (
                "application/cloudevents+json; charset=UTF-8",
                cloud_event(webhooks, job, delivery, &id, data),
            ),
        };
        let body = serde_json::to_vec(&event).ok()?;
        let seconds = now.as_millis() / 1000;
        let signature = webhooks.signer.sign(&id, seconds, &body);
        let mut fields = HeaderMap::new();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let agent = concat!("raincheck/", env!("CARGO_PKG_VERSION"));
        fields.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        fields.insert(ID, HeaderValue::try_from(id).ok()?);
        fields.insert(TIMESTAMP, HeaderValue::from(seconds));
        fields.insert(SIGNATURE, HeaderValue::try_from(signature).ok()?);
        Some(Self {
            fields,
            body: body.into(),
        })
    }
}

fn standard(job: &Job, delivery: &Delivery, data: Value) -> Value {
    json!({
        "type": format!("job.{}", job.status().as_str()),
        "timestamp": delivery.created_at.to_string(),
        "data": data,
    })
}

fn cloud_event(
    webhooks: &Webhooks,
    job: &Job,
    delivery: &Delivery,
    id: &str,
    data: Value,
) -> Value {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": webhooks.links.base(),
        "type": format!("raincheck.job.{}", job.status().as_str()),
        "subject": job.id().to_string(),
        "time": delivery.created_at.to_string(),
        "datacontenttype": "application/json",
        "data": data,
    })
}
