//! A socket on a paused clock: what is told, what silence leads to, and what becomes of those who do
//! not read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, Method};
use raincheck_core::ambient::{Clock, Entropy};
use raincheck_core::head::RequestHead;
use raincheck_core::id::JobId;
use raincheck_core::route::{Mode, Pattern, Route, RouteTable, Scheme, Upstream};
use raincheck_core::time::Timestamp;
use raincheck_exchange::RequestBody;
use raincheck_exchange::upgrade::Upgraded;
use raincheck_runner::Runner;
use raincheck_runner::accept::Accepted;
use raincheck_runner::status::Links;
use raincheck_store::model::ModelStore;
use raincheck_telemetry::Metrics;
use raincheck_upstreams::Upstreams;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

use super::Session;

struct Ticking(Instant, AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000_000).after(self.0.elapsed())
    }
}

impl Entropy for Ticking {
    fn fill(&self, buffer: &mut [u8]) {
        let number = self.1.fetch_add(1, SeqCst).to_be_bytes();
        for (to, from) in buffer.iter_mut().rev().zip(number.iter().rev()) {
            *to = *from;
        }
    }
}

/// A gateway whose jobs stay in the queue until they are cancelled.
struct Rig {
    runner: Runner,
    route: Arc<Route>,
    followed: Arc<AtomicUsize>,
    leaving: CancellationToken,
}

type Client = WebSocketStream<DuplexStream>;

impl Rig {
    fn new() -> Self {
        let upstream = Upstream::new(Scheme::Http, "127.0.0.1", 1);
        let mut route = Route::new("r".parse().unwrap(), Pattern::everything(), upstream);
        route.mode = Mode::Async;
        let runner = Runner::start(raincheck_runner::Options {
            store: Arc::new(ModelStore::new()),
            upstreams: Upstreams::new(raincheck_upstreams::Options::default()).unwrap(),
            routes: Arc::new(RouteTable::new(vec![route.clone()]).unwrap()),
            ambient: Arc::new(Ticking(Instant::now(), AtomicU64::new(0))),
            metrics: Arc::new(Metrics::new([&route.name].into_iter())),
            attempts: 0,
            webhooks: None,
        });
        Self {
            runner,
            route: Arc::new(route),
            followed: Arc::default(),
            leaving: CancellationToken::new(),
        }
    }

    async fn job(&self) -> JobId {
        let accepted = Accepted {
            id: self.runner.ambient().job_id(),
            route: Arc::clone(&self.route),
            head: RequestHead {
                method: Method::POST,
                target: "/".parse().unwrap(),
                headers: HeaderMap::new(),
            },
            body: RequestBody::Bytes(bytes::Bytes::new()),
            trailers: HeaderMap::new(),
            key: None,
            callback: None,
        };
        self.runner.submit(accepted).await.unwrap().id()
    }

    /// A socket with so many bytes of room between its ends.
    async fn open(&self, only: Option<JobId>, room: usize) -> (Client, JoinHandle<()>) {
        let (ours, theirs) = tokio::io::duplex(room);
        let session = Session {
            runner: self.runner.clone(),
            links: Links::new("/jobs"),
            followed: Arc::clone(&self.followed),
            only,
        };
        let io = Upgraded::new(ours, self.leaving.clone());
        let running = tokio::spawn(session.run(io));
        let client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        (client, running)
    }
}

async fn say(client: &mut Client, value: Value) {
    client.send(Message::text(value.to_string())).await.unwrap();
}

/// The next event, whatever pings come before it.
async fn event(client: &mut Client) -> Value {
    loop {
        match client.next().await.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The code of the close that comes next, and how many pings came before it.
async fn closed(client: &mut Client) -> (u16, usize) {
    let mut pings = 0;
    loop {
        match client.next().await.unwrap().unwrap() {
            Message::Ping(_) => pings += 1,
            Message::Close(frame) => return (frame.unwrap().code.into(), pings),
            other => panic!("{other:?}"),
        }
    }
}

#[track_caller]
fn is_status(event: &Value, id: JobId, status: &str) {
    assert_eq!(
        (&event["event"], &event["job_id"], &event["data"]["status"]),
        (&json!("status"), &json!(id.to_string()), &json!(status)),
        "{event}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_job_to_its_end() {
    let rig = Rig::new();
    let id = rig.job().await;
    let (mut client, running) = rig.open(Some(id), 4096).await;
    is_status(&event(&mut client).await, id, "queued");
    say(&mut client, json!({ "cancel": [id.to_string()] })).await;
    is_status(&event(&mut client).await, id, "cancelled");
    assert_eq!(closed(&mut client).await.0, 1000);
    running.await.unwrap();
    assert_eq!(rig.followed.load(SeqCst), 0);
    // Whoever comes after the end is told at once.
    let (mut late, _running) = rig.open(Some(id), 4096).await;
    is_status(&event(&mut late).await, id, "cancelled");
    assert_eq!(closed(&mut late).await.0, 1000);
}

#[tokio::test(start_paused = true)]
async fn many_jobs_come_and_go() {
    let rig = Rig::new();
    let (one, other) = (rig.job().await, rig.job().await);
    let (mut client, _running) = rig.open(None, 4096).await;
    say(
        &mut client,
        json!({ "subscribe": [one.to_string(), other.to_string()] }),
    )
    .await;
    let first = event(&mut client).await;
    let second = event(&mut client).await;
    let mut ids = [first["job_id"].as_str(), second["job_id"].as_str()];
    ids.sort_unstable();
    let (a, b) = (one.to_string(), other.to_string());
    assert_eq!(ids, [Some(a.as_str()), Some(b.as_str())]);
    say(&mut client, json!({ "unsubscribe": [a.as_str()] })).await;
    // An answer to the next message says that this one was carried out.
    say(&mut client, json!({ "what": 1 })).await;
    assert_eq!(event(&mut client).await["event"], "error");
    assert_eq!(rig.followed.load(SeqCst), 1);
    rig.runner.cancel(one).await.unwrap();
    rig.runner.cancel(other).await.unwrap();
    is_status(&event(&mut client).await, other, "cancelled");
    assert!(
        timeout(Duration::from_secs(20), client.next())
            .await
            .is_err()
    );
    assert_eq!(rig.followed.load(SeqCst), 0);
    say(&mut client, json!({ "subscribe": [a] })).await;
    is_status(&event(&mut client).await, one, "cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_again_is_told_what_is_new() {
    let rig = Rig::new();
    let id = rig.job().await;
    let (mut client, _running) = rig.open(None, 4096).await;
    say(&mut client, json!({ "subscribe": [id.to_string()] })).await;
    let seen = event(&mut client).await;
    let (mut again, _running) = rig.open(None, 4096).await;
    let order = json!({ "job_id": id.to_string(), "after": seen["id"] });
    say(&mut again, json!({ "subscribe": [order] })).await;
    assert!(
        timeout(Duration::from_secs(20), again.next())
            .await
            .is_err()
    );
    rig.runner.cancel(id).await.unwrap();
    is_status(&event(&mut again).await, id, "cancelled");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_said_and_the_socket_stays() {
    let rig = Rig::new();
    let id = rig.job().await;
    let (mut client, _running) = rig.open(None, 4096).await;
    let nobody = "01997f6c-0000-7000-8000-000000000000";
    for (order, code) in [
        (json!({ "subscribe": [nobody] }), "job-not-found"),
        (json!({ "cancel": [nobody] }), "job-not-found"),
        (json!({ "subscribe": ["what?"] }), "invalid-parameter"),
        (json!([]), "invalid-parameter"),
        (
            json!({ "cancel": ["x".repeat(70_000)] }),
            "request-too-large",
        ),
    ] {
        say(&mut client, order).await;
        let event = event(&mut client).await;
        assert_eq!(
            (&event["event"], &event["error"]["code"]),
            (&json!("error"), &json!(code)),
            "{event}"
        );
    }
    client.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(
        event(&mut client).await["error"]["code"],
        "invalid-parameter"
    );
    say(&mut client, json!({ "subscribe": [id.to_string()] })).await;
    is_status(&event(&mut client).await, id, "queued");
}

#[tokio::test(start_paused = true)]
async fn one_socket_follows_so_many_jobs() {
    let rig = Rig::new();
    let (mut client, _running) = rig.open(None, 1 << 20).await;
    let mut ids = Vec::new();
    for _ in 0..=super::SOCKET_JOBS {
        ids.push(rig.job().await.to_string());
    }
    say(&mut client, json!({ "subscribe": ids })).await;
    let mut kinds = [0, 0];
    for _ in 0..=super::SOCKET_JOBS {
        let event = event(&mut client).await;
        kinds[usize::from(event["error"]["code"] == "overloaded")] += 1;
    }
    assert_eq!(kinds, [super::SOCKET_JOBS, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_pings_stays_for_hours() {
    let rig = Rig::new();
    let id = rig.job().await;
    let (mut client, running) = rig.open(Some(id), 4096).await;
    event(&mut client).await;
    let begun = Instant::now();
    let mut pings = 0;
    while begun.elapsed() < Duration::from_secs(2 * 3600) {
        assert!(matches!(client.next().await, Some(Ok(Message::Ping(_)))));
        client.flush().await.unwrap();
        pings += 1;
    }
    assert!((144..=289).contains(&pings), "{pings}");
    assert!(!running.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_nothing_is_let_go() {
    let rig = Rig::new();
    let id = rig.job().await;
    let begun = Instant::now();
    let (client, running) = rig.open(Some(id), 4096).await;
    running.await.unwrap();
    let seconds = begun.elapsed().as_secs();
    assert!((60..=90).contains(&seconds), "{seconds}");
    assert_eq!(rig.followed.load(SeqCst), 0);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_fewer_events_and_never_old_ones() {
    let rig = Rig::new();
    let id = rig.job().await;
    // Room for less than one event: the second cannot be written before the first is read.
    let (mut client, _running) = rig.open(Some(id), 64).await;
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    for _ in 0..20 {
        rig.runner.cancel(id).await.unwrap();
        rig.runner.retry(id).await.unwrap();
    }
    is_status(&event(&mut client).await, id, "queued");
    let second = event(&mut client).await;
    is_status(&second, id, "queued");
    let now = rig.runner.job(id).await.unwrap().revision().0;
    assert_eq!(
        second["id"],
        format!("{now}.0"),
        "the newest, and none before it"
    );
    assert!(
        timeout(Duration::from_secs(20), client.next())
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_let_go_and_not_read() {
    let rig = Rig::new();
    let id = rig.job().await;
    let begun = Instant::now();
    let (mut client, running) = rig.open(Some(id), 64).await;
    // Nothing is read from it while it reads nothing.
    let order = json!({ "cancel": ["x".repeat(500)] });
    let sent = timeout(Duration::from_secs(30), say(&mut client, order)).await;
    assert!(sent.is_err());
    running.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_going_away() {
    let rig = Rig::new();
    let id = rig.job().await;
    let (mut client, running) = rig.open(Some(id), 4096).await;
    event(&mut client).await;
    rig.leaving.cancel();
    assert_eq!(closed(&mut client).await.0, 1001);
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_no_websocket_is_closed_with_its_code() {
    let mask = [0, 0, 0, 0];
    let masked = |first: u8, payload: &[u8]| {
        let mut bytes = vec![first, 0x80 | payload.len() as u8];
        bytes.extend_from_slice(&mask);
        bytes.extend_from_slice(payload);
        bytes
    };
    for (bytes, code) in [
        (masked(0x81, b"\xff\xfe"), 1007),
        (masked(0x83, b"reserved"), 1002),
        (vec![0x81, 2, b'{', b'}'], 1002),
        (masked(0xc1, b"{}"), 1002),
        (masked(0x80, b"continues nothing"), 1002),
        (masked(0x09, b"a fragment of a ping"), 1002),
    ] {
        let rig = Rig::new();
        let (mut client, running) = rig.open(None, 4096).await;
        client.get_mut().write_all(&bytes).await.unwrap();
        assert_eq!(closed(&mut client).await.0, code, "{bytes:?}");
        running.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_may_come_in_fragments_with_pings_between() {
    let rig = Rig::new();
    let id = rig.job().await;
    let (mut client, _running) = rig.open(None, 4096).await;
    let text = json!({ "subscribe": [id.to_string()] }).to_string();
    let mut bytes = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        let first = if at == 0 { 0x01 } else { 0x00 };
        bytes.extend_from_slice(&[first, 0x81, 0, 0, 0, 0, byte]);
        bytes.extend_from_slice(&[0x89, 0x80, 0, 0, 0, 0]);
    }
    bytes.extend_from_slice(&[0x80, 0x80, 0, 0, 0, 0]);
    client.get_mut().write_all(&bytes).await.unwrap();
    loop {
        match client.next().await.unwrap().unwrap() {
            Message::Pong(_) => {}
            Message::Text(text) => {
                is_status(&serde_json::from_str(&text).unwrap(), id, "queued");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
}
