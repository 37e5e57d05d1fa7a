//! Every bound in the product, named, in one place. Reaching one is a problem code and a metric.

use std::time::Duration;

/// Bytes of a request or response body held in memory before it spills to disk.
pub const BODY_MEMORY_BYTES: usize = 64 * 1024;
/// Bytes of a body kept inside the job's own database row; larger ones get a segment file.
pub const BODY_INLINE_BYTES: usize = 8 * 1024;
/// Bytes of payload in one checksummed frame of a segment file.
pub const SEGMENT_FRAME_BYTES: usize = 64 * 1024;
/// Reads of body files in flight in one process; further ones wait their turn.
pub const BODY_READS: usize = 16;
/// Bytes of a client's request line and header section.
pub const REQUEST_HEAD_BYTES: usize = 64 * 1024;
/// Bytes of a client's request target (path and query); beyond it: 414.
pub const REQUEST_TARGET_BYTES: usize = 16 * 1024;
/// Header fields in one request; beyond it: 431. Up to a hundred are parsed without allocating.
pub const REQUEST_HEADERS: usize = 100;
/// Bytes of an upstream's status line and header section; beyond it: 502.
pub const RESPONSE_HEAD_BYTES: usize = 256 * 1024;
/// Header fields in one upstream response; beyond it: 502.
pub const RESPONSE_HEADERS: usize = 100;
/// Connections waiting to be accepted by us (listen backlog).
pub const LISTEN_BACKLOG: i32 = 4096;
/// Open client connections; further ones wait in the backlog.
pub const CONNECTIONS: usize = 50_000;
/// Requests of clients in flight over all routes; beyond it: 503 before any work is done. Fewer
/// than connections, which leaves some to the job API and to those that are idle.
pub const REQUESTS: usize = 40_000;
/// How long a client may take for what comes before HTTP: TLS, the PROXY protocol.
pub const CLIENT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to send a request head.
pub const CLIENT_HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may send nothing while it owes us request body bytes.
pub const CLIENT_BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a request's body that are read and dropped after its answer, so that the client can keep
/// its connection; with more to come it is closed.
pub const CLIENT_UNREAD_BODY_BYTES: u64 = 64 * 1024;
/// Bytes of the body of a request that asks for another protocol: it is taken in whole before the
/// upstream is asked.
pub const UPGRADE_BODY_BYTES: u64 = 64 * 1024;
/// How long nothing may pass either way after an upgrade, where a route does not say.
pub const UPGRADE_IDLE_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// How long a client may take nothing while we have response bytes for it.
pub const CLIENT_WRITE_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an idle keep-alive connection of a client is kept.
pub const CLIENT_KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a client that keeps its connection may still send a request on it once we stop, which
/// is answered and told that it was the last one.
pub const CLIENT_LAST_REQUEST_WAIT: Duration = Duration::from_millis(250);
/// Concurrent HTTP/2 streams of one client connection.
pub const H2_STREAMS: u32 = 256;
/// Connections to one server in use at once, unless something else is said; further requests wait
/// as long as connecting may take. Below the 28,000 ports that Linux has for one destination.
pub const UPSTREAM_CONNECTIONS: usize = 10_000;
/// Idle upstream connections kept per upstream.
pub const UPSTREAM_IDLE_CONNECTIONS: usize = 256;
/// How long an idle upstream connection is kept.
pub const UPSTREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection to an upstream takes new exchanges, unless something else is said: by
/// then changes of its name's addresses are followed.
pub const UPSTREAM_CONNECTION_AGE: Duration = Duration::from_secs(10 * 60);
/// Servers of one upstream.
pub const UPSTREAM_SERVERS: usize = 256;
/// The longest `wait` a client may ask for on a job's status or result.
pub const WAIT_MAX: Duration = Duration::from_secs(60);
/// The longest wait of one redirect that a route may set; a client that waits longer for a head is
/// rare, and so is an edge that lets it.
pub const REDIRECT_WAIT_MAX: Duration = Duration::from_secs(3600);
/// The longest wait that an upstream's `Retry-After` can ask for before another attempt.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long a job is kept whose record was damaged, as what it was promised cannot be read.
pub const DAMAGED_RETENTION: Duration = Duration::from_secs(24 * 3600);
/// Idempotency keys, and fingerprints of routes that de-duplicate, that one store knows at once. Each
/// takes some 40 bytes of memory. Beyond it: 503 to requests that could be found again.
pub const KEYS: usize = 10_000_000;
/// Damaged records that are kept for a look beside the jobs; further ones are only logged.
pub const DAMAGED_KEPT: usize = 1000;
/// Bytes per second that the look at all that is stored, once after each start, reads at most.
pub const SCRUB_BYTES_PER_SECOND: u64 = 32 * 1024 * 1024;
/// Jobs in one page of the admin list.
pub const LIST_PAGE: usize = 500;
/// Bytes of a JSON result that are shown inside the status document.
pub const RESULT_INLINE_BYTES: u64 = 64 * 1024;
/// Changes in one group commit of the embedded store.
pub const COMMIT_BATCH: usize = 1024;
/// Changes that may wait for the embedded store's writer; more wait their turn in memory order.
pub const COMMIT_QUEUE: usize = 16 * 1024;
/// Attempts that a job may have beyond those of its route because the gateway died in its last one.
pub const RESCUES: u32 = 10;
/// Clients whose rate of requests is counted one by one; further ones share one budget.
pub const RATE_CLIENTS: usize = 100_000;
/// Log lines about refused requests in one second; further refusals are counted in the next line.
pub const REFUSAL_LINES_PER_SECOND: u32 = 50;
/// How often a request looks anew where its key leads because that changed meanwhile; then: 503.
pub const KEY_TRIES: usize = 8;
/// Log lines about repetitions in one second; further ones are counted in the next line.
pub const REPETITION_LINES_PER_SECOND: u32 = 50;
/// Characters of an `Idempotency-Key`; beyond it: 400.
pub const KEY_CHARACTERS: usize = 255;
/// Watchers of one process waiting for jobs to change; beyond it: answered at once.
pub const WATCHERS: usize = 100_000;
/// Jobs of which the last progress report is kept; beyond it the oldest is forgotten.
pub const PROGRESS_JOBS: usize = 10_000;
/// Bytes of a progress report; beyond it: 413.
pub const PROGRESS_BYTES: usize = 8 * 1024;
/// Bytes of `data` in a progress report, as JSON.
pub const PROGRESS_DATA_BYTES: usize = 4 * 1024;
/// Characters of `message` in a progress report.
pub const PROGRESS_MESSAGE_CHARS: usize = 500;
/// How long a backend may take to send a progress report.
pub const PROGRESS_TIMEOUT: Duration = Duration::from_secs(10);
/// The least time between two progress events of one stream; what comes in between is one event.
pub const PROGRESS_EVENT_GAP: Duration = Duration::from_millis(100);
/// How long a client that is kept by bytes hears nothing, unless something else is said.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// The shortest such silence that a route may ask for.
pub const KEEPALIVE_INTERVAL_MIN: Duration = Duration::from_millis(100);
/// Silence on an event stream after which a comment shows that it is alive.
pub const EVENTS_BEAT: Duration = Duration::from_secs(15);
/// Bytes of a URL to call when a job has ended; beyond it: 422.
pub const CALLBACK_URL_BYTES: usize = 2048;
/// Bytes of a JSON body in which such a URL is looked for; beyond it: 422.
pub const CALLBACK_BODY_BYTES: u64 = 1024 * 1024;
/// Ends of one job whose telling is kept.
pub const DELIVERIES_KEPT: usize = 8;
/// Tries of one delivery that are kept.
pub const TRIES_KEPT: usize = 16;
/// Deliveries that wait in memory, over all receivers; further ones wait in the store.
pub const DELIVERIES_WAITING: usize = 65_536;
/// The same of one receiver.
pub const RECEIVER_WAITING: usize = 1024;
/// Tries in flight to one receiver, once it has answered well.
pub const RECEIVER_TRIES: usize = 8;
/// How long a try may be without an answer before it takes the place of a slow one.
pub const DELIVERY_PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a receiver's answer head; beyond it the try has failed.
pub const RECEIVER_HEAD_BYTES: usize = 16 * 1024;
/// Bytes of a receiver's answer body that are read, and dropped.
pub const RECEIVER_BODY_BYTES: usize = 16 * 1024;
/// Names that are resolved at a time for webhooks.
pub const RESOLVING: usize = 128;
/// Bytes of an event's own id by which a follower of its stream can resume; an event with a longer
/// one gets one of ours.
pub const EVENT_ID_BYTES: usize = 1024;
/// Bytes of an answer of known length up to which it is relayed and not recorded where a route says
/// `resume`: it is there at once, or can be had again.
pub const RESUME_MIN_BYTES: u64 = 64 * 1024;
/// Bytes of a client's message on a WebSocket of ours; beyond it: an error frame.
pub const SOCKET_MESSAGE_BYTES: usize = 64 * 1024;
/// Jobs that one WebSocket follows; beyond it: an error frame.
pub const SOCKET_JOBS: usize = 1000;
/// Jobs that all WebSockets of one process follow; beyond it: an error frame.
pub const SOCKET_JOBS_ALL: usize = 100_000;
/// Silence of a client on a WebSocket of ours after which it is asked whether it is there.
pub const SOCKET_PING: Duration = Duration::from_secs(25);
/// Silence after which it is not: two pings have had no answer.
pub const SOCKET_SILENCE: Duration = Duration::from_secs(60);
/// Bytes below which an answer is not compressed: it would hardly get smaller.
pub const COMPRESS_MIN_BYTES: u64 = 1024;
/// Bytes of a file that a route answers with; it is kept in memory.
pub const STATIC_FILE_BYTES: u64 = 1024 * 1024;
/// Bytes of a config file; more is not read.
pub const CONFIG_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes of an upstream's failure text that are kept in a problem's detail.
pub const DETAIL_BYTES: usize = 512;
