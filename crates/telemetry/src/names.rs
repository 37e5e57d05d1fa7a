//! All metric names: meaning, unit, labels, since.

/// What is known of a metric without looking at the code that counts it.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    /// Its full name as scraped, unit last.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: &'static str,
    /// What it tells.
    pub meaning: &'static str,
    /// The version it appeared in.
    pub since: &'static str,
}

/// Answers to clients.
pub const REQUESTS: Name = Name {
    name: "raincheck_requests_total",
    kind: "counter",
    labels: "route, answer (relayed, ticket, replayed, problem, fixed), class (2xx, 3xx, 4xx, 5xx)",
    meaning: "Answers to clients of a route.",
    since: "0.1.0",
};
/// Requests in flight.
pub const REQUESTS_IN_FLIGHT: Name = Name {
    name: "raincheck_requests_in_flight",
    kind: "gauge",
    labels: "",
    meaning: "Requests of clients for routes that are not wholly answered, held ones included.",
    since: "0.1.0",
};
/// Requests that were shed.
pub const REQUESTS_SHED: Name = Name {
    name: "raincheck_requests_shed_total",
    kind: "counter",
    labels: "",
    meaning: "Requests that were answered with 503 before any work was done, because of `limits.requests`.",
    since: "0.1.0",
};
/// Time to the response head.
pub const ANSWER_SECONDS: Name = Name {
    name: "raincheck_answer_seconds",
    kind: "histogram",
    labels: "route",
    meaning: "Time from a request's head to its answer's head, tickets included.",
    since: "0.1.0",
};
/// Open tunnels.
pub const TUNNELS_OPEN: Name = Name {
    name: "raincheck_tunnels_open",
    kind: "gauge",
    labels: "route",
    meaning: "Clients that went on in another protocol after an Upgrade, such as WebSocket, and are still there.",
    since: "0.1.0",
};
/// Bytes of tunnels.
pub const TUNNEL_BYTES: Name = Name {
    name: "raincheck_tunnel_bytes_total",
    kind: "counter",
    labels: "route, way (up, down)",
    meaning: "Bytes that were passed on after an Upgrade, to the upstream and to clients.",
    since: "0.1.0",
};
/// Attempts of jobs.
pub const ATTEMPTS: Name = Name {
    name: "raincheck_attempts_total",
    kind: "counter",
    labels: "route, outcome (answered, failed, handed_back)",
    meaning: "Attempts of jobs that have ended.",
    since: "0.1.0",
};
/// Time of attempts.
pub const ATTEMPT_SECONDS: Name = Name {
    name: "raincheck_attempt_seconds",
    kind: "histogram",
    labels: "route",
    meaning: "Time from an attempt's start, or from its hand-over at the end of a hold, to its end.",
    since: "0.1.0",
};
/// Attempts in flight.
pub const IN_FLIGHT: Name = Name {
    name: "raincheck_attempts_in_flight",
    kind: "gauge",
    labels: "",
    meaning: "Attempts of jobs that run now.",
    since: "0.1.0",
};
/// Jobs.
pub const JOBS: Name = Name {
    name: "raincheck_jobs",
    kind: "gauge",
    labels: "route, status",
    meaning: "Jobs in the store.",
    since: "0.1.0",
};
/// The oldest due job.
pub const OLDEST: Name = Name {
    name: "raincheck_oldest_due_seconds",
    kind: "gauge",
    labels: "route",
    meaning: "How long the oldest job that could run has been waiting for a permit; 0 if none is.",
    since: "0.1.0",
};
/// Repetitions.
pub const DUPLICATES: Name = Name {
    name: "raincheck_duplicates_total",
    kind: "counter",
    labels: "route, outcome (joined, replayed, conflict, mismatch)",
    meaning: "Requests that were known to be repetitions, by key or by fingerprint; joined, replayed and conflict are runs that did not happen twice.",
    since: "0.1.0",
};
/// Refused requests.
pub const PROBLEMS: Name = Name {
    name: "raincheck_problems_total",
    kind: "counter",
    labels: "code",
    meaning: "Problems that clients of routes were told, by code; also those that match no route.",
    since: "0.1.0",
};

/// Time of commits.
pub const COMMIT_SECONDS: Name = Name {
    name: "raincheck_store_commit_seconds",
    kind: "histogram",
    labels: "",
    meaning: "Time to make a batch of changes durable, the disk's sync included.",
    since: "0.1.0",
};
/// Changes of commits.
pub const COMMIT_CHANGES: Name = Name {
    name: "raincheck_store_commit_changes",
    kind: "histogram",
    labels: "",
    meaning: "Changes that shared one commit.",
    since: "0.1.0",
};
/// Damage to what is stored.
pub const STORE_DAMAGED: Name = Name {
    name: "raincheck_store_damaged",
    kind: "gauge",
    labels: "",
    meaning: "Damaged records and bodies found by the look at all that is stored, since the start.",
    since: "0.1.0",
};
/// A store without room.
pub const STORE_FULL: Name = Name {
    name: "raincheck_store_full",
    kind: "gauge",
    labels: "",
    meaning: "1 while the store has no room for jobs or for bodies, until 2 MiB are free; 0 otherwise.",
    since: "0.1.0",
};
/// Bodies without room.
pub const STORE_BODIES_REFUSED: Name = Name {
    name: "raincheck_store_bodies_refused_total",
    kind: "counter",
    labels: "",
    meaning: "Bodies of requests and responses that had no room on the disk.",
    since: "0.1.0",
};
/// Open connections.
pub const CONNECTIONS_OPEN: Name = Name {
    name: "raincheck_connections_open",
    kind: "gauge",
    labels: "listener",
    meaning: "Connections of clients that are open now.",
    since: "0.1.0",
};
/// Accepted connections.
pub const CONNECTIONS: Name = Name {
    name: "raincheck_connections_total",
    kind: "counter",
    labels: "listener",
    meaning: "Connections of clients that were accepted.",
    since: "0.1.0",
};
/// Connections that were refused.
pub const CONNECTIONS_REFUSED: Name = Name {
    name: "raincheck_connections_refused_total",
    kind: "counter",
    labels: "listener, reason (not_a_proxy, proxy_header, tls, timeout, per_client, flood)",
    meaning: "Connections that were ended for what came before HTTP, because their client has as many as it may, or for a flood of frames.",
    since: "0.1.0",
};
/// Loads of certificates.
pub const CERTIFICATE_LOADS: Name = Name {
    name: "raincheck_tls_loads_total",
    kind: "counter",
    labels: "listener, result (ok, unreadable, empty, unusable, mismatch)",
    meaning: "Loads of a listener's certificates. After any but `ok` the old ones stay in use.",
    since: "0.1.0",
};
/// When certificates expire.
pub const CERTIFICATE_EXPIRY: Name = Name {
    name: "raincheck_tls_expires_timestamp_seconds",
    kind: "gauge",
    labels: "listener",
    meaning: "When the first of a listener's certificates in use expires, as Unix time.",
    since: "0.1.0",
};

/// Whether a server may be used.
pub const UPSTREAM_USABLE: Name = Name {
    name: "raincheck_upstream_usable",
    kind: "gauge",
    labels: "upstream, server",
    meaning: "1 if a server of an upstream with several or watched servers may get requests, 0 if it is ejected or unhealthy.",
    since: "0.1.0",
};
/// Requests at a server.
pub const UPSTREAM_IN_FLIGHT: Name = Name {
    name: "raincheck_upstream_in_flight",
    kind: "gauge",
    labels: "upstream, server",
    meaning: "Requests in flight at a server of an upstream with several or watched servers.",
    since: "0.1.0",
};
/// Ejections of a server.
pub const UPSTREAM_EJECTIONS: Name = Name {
    name: "raincheck_upstream_ejections",
    kind: "gauge",
    labels: "upstream, server",
    meaning: "How often a server was ejected since it became part of its upstream.",
    since: "0.1.0",
};

/// Tries to deliver webhooks.
pub const WEBHOOK_TRIES: Name = Name {
    name: "raincheck_webhook_tries_total",
    kind: "counter",
    labels: "outcome (2xx, 3xx, 4xx, 5xx, denied, connect, tls, timeout, broken, proxy)",
    meaning: "Tries to tell a caller of its job's end.",
    since: "0.1.0",
};
/// Time of tries.
pub const WEBHOOK_SECONDS: Name = Name {
    name: "raincheck_webhook_try_seconds",
    kind: "histogram",
    labels: "",
    meaning: "Time from a try's start to the head of its answer, or to its failure.",
    since: "0.1.0",
};
/// Deliveries that ended.
pub const WEBHOOK_ENDS: Name = Name {
    name: "raincheck_webhook_deliveries_total",
    kind: "counter",
    labels: "outcome (delivered, failed, gone)",
    meaning: "Deliveries after which no further try is made.",
    since: "0.1.0",
};
/// Tries in flight.
pub const WEBHOOKS_IN_FLIGHT: Name = Name {
    name: "raincheck_webhook_tries_in_flight",
    kind: "gauge",
    labels: "",
    meaning: "Tries that run now.",
    since: "0.1.0",
};
/// Deliveries that wait.
pub const WEBHOOKS_WAITING: Name = Name {
    name: "raincheck_webhook_deliveries_waiting",
    kind: "gauge",
    labels: "",
    meaning: "Deliveries that are due and wait for their turn in memory.",
    since: "0.1.0",
};

/// All of them.
pub const ALL: [Name; 31] = [
    REQUESTS,
    REQUESTS_IN_FLIGHT,
    REQUESTS_SHED,
    ANSWER_SECONDS,
    TUNNELS_OPEN,
    TUNNEL_BYTES,
    ATTEMPTS,
    ATTEMPT_SECONDS,
    IN_FLIGHT,
    JOBS,
    OLDEST,
    PROBLEMS,
    UPSTREAM_USABLE,
    UPSTREAM_IN_FLIGHT,
    UPSTREAM_EJECTIONS,
    DUPLICATES,
    COMMIT_SECONDS,
    COMMIT_CHANGES,
    STORE_DAMAGED,
    STORE_FULL,
    STORE_BODIES_REFUSED,
    CONNECTIONS_OPEN,
    CONNECTIONS,
    CONNECTIONS_REFUSED,
    CERTIFICATE_LOADS,
    CERTIFICATE_EXPIRY,
    WEBHOOK_TRIES,
    WEBHOOK_SECONDS,
    WEBHOOK_ENDS,
    WEBHOOKS_IN_FLIGHT,
    WEBHOOKS_WAITING,
];

/// docs/reference/metrics.md, printed from [`ALL`].
pub fn markdown() -> String {
    let mut page = String::from(
        "# Metrics\n\n`GET /metrics` on the admin listener, as OpenMetrics text.\n\n\
         | name | kind | labels | meaning | since |\n| --- | --- | --- | --- | --- |\n",
    );
    for Name {
        name,
        kind,
        labels,
        meaning,
        since,
    } in ALL
    {
        page.push_str(&format!(
            "| `{name}` | {kind} | {labels} | {meaning} | {since} |\n"
        ));
    }
    page
}
