//! Label types; their cardinality is bounded by the number of routes, listeners and codes.

use prometheus_client::encoding::EncodeLabelSet;

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabel {
    /// Its name.
    pub route: String,
}

/// An answer of a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AnswerLabel {
    /// The route's name.
    pub route: String,
    /// What kind of answer.
    pub answer: &'static str,
    /// Its status class.
    pub class: &'static str,
}

/// Bytes of a route's tunnels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WayLabel {
    /// The route's name.
    pub route: String,
    /// Which way they went.
    pub way: &'static str,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabel {
    /// The route's name.
    pub route: String,
    /// How.
    pub outcome: &'static str,
}

/// What became of a repetition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DuplicateLabel {
    /// The route's name.
    pub route: String,
    /// What.
    pub outcome: &'static str,
}

/// Jobs of a route in a status.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct JobsLabel {
    /// The route's name.
    pub route: String,
    /// The status.
    pub status: &'static str,
}

/// A server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ServerLabel {
    /// The upstream's name.
    pub upstream: String,
    /// The server's URL.
    pub server: String,
}

/// What came of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WebhookLabel {
    /// What.
    pub outcome: &'static str,
}

/// A problem code.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ProblemLabel {
    /// The code's slug.
    pub code: &'static str,
}

/// Connections of a listener that ended before a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusedLabel {
    /// Where it listens, as the config says it.
    pub listener: String,
    /// Why.
    pub reason: &'static str,
}

/// Loads of a listener's certificates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LoadLabel {
    /// Where it listens, as the config says it.
    pub listener: String,
    /// What came of it.
    pub result: &'static str,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ListenerLabel {
    /// Where it listens, as the config says it.
    pub listener: String,
}
