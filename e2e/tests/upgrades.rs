//! WebSockets and other upgrades, between clients and servers that nobody wrote for raincheck.

use std::path::PathBuf;
use std::process::Command;

use raincheck_e2e::curl::curl;
use raincheck_e2e::process::{self, Child, Home};
use raincheck_e2e::{Config, Must, Raincheck, expect, until};
use rustix::process::Signal;

fn below(dir: &str, name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join(dir).join(name)
}

/// A WebSocket server.
struct Server {
    _child: Child,
    url: String,
}

impl Server {
    async fn start(mut command: Command) -> Self {
        command.env("RAINCHECK_TEST_NODE_MODULES", process::node_modules());
        let child = Child::spawn(command);
        let line = child.line_with("port ").await;
        let port = line.split("port ").nth(1).must("a port").to_owned();
        Self {
            _child: child,
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    async fn python() -> Self {
        let mut command = Command::new(process::python());
        command.arg(below("apps", "websockets_server.py"));
        Self::start(command).await
    }

    async fn node() -> Self {
        let mut command = Command::new("node");
        command.arg(below("apps", "ws_server.cjs"));
        Self::start(command).await
    }
}

fn python_client(args: &[&str]) -> Child {
    let mut command = Command::new(process::python());
    command
        .arg(below("clients", "websockets_client.py"))
        .args(args);
    Child::spawn(command)
}

fn node_client(args: &[&str]) -> Child {
    let mut command = Command::new("node");
    command
        .env("RAINCHECK_TEST_NODE_MODULES", process::node_modules())
        .arg(below("clients", "websocket.mjs"))
        .args(args);
    Child::spawn(command)
}

/// The lines of a client that ended well.
async fn said(child: Child) -> Vec<String> {
    let exit = child.exited().await;
    assert_eq!(exit.code, Some(0), "{}{}", exit.stdout, exit.stderr);
    let lines = exit.stdout.lines();
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A gateway whose listener speaks TLS, with all modes, and the certificate to trust.
async fn secure(url: &str) -> (Raincheck, String) {
    let home = Home::new(&Config::all_modes(url));
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).must("a certificate");
    let file = |name: &str| home.path().join(name).display().to_string();
    std::fs::write(file("site.pem"), key.cert.pem()).must("a file");
    std::fs::write(file("site.key"), key.signing_key.serialize_pem()).must("a file");
    let plain = std::fs::read_to_string(home.config()).must("the config");
    let listen = "listen = \"127.0.0.1:0\"";
    let tls = format!(
        "listen = [{{ address = \"127.0.0.1:0\", tls = {{ certificate = {:?}, key = {:?} }} }}]",
        file("site.pem"),
        file("site.key")
    );
    assert!(plain.contains(listen), "{plain}");
    std::fs::write(home.config(), plain.replacen(listen, &tls, 1)).must("the config");
    let trusted = file("site.pem");
    (Raincheck::start_in(home).await, trusted)
}

/// Waits for a line of the log with all of these words.
async fn logged(app: &Raincheck, words: &[&str]) {
    until("a line of the log", || {
        let log = app.child.stderr();
        let mut lines = log.lines();
        lines.any(|line| words.iter().all(|word| line.contains(word)))
    })
    .await;
}

async fn metric(app: &Raincheck, line: &str) -> Option<u64> {
    let text = app.admin("GET", "/metrics").send().await.text();
    let value = text.lines().find_map(|at| at.strip_prefix(line))?;
    value.trim().parse().ok()
}

#[tokio::test]
async fn pythons_websockets_on_both_sides() {
    let server = Server::python().await;
    let app = Raincheck::start(&Config::all_modes(&server.url)).await;
    for mode in ["sync", "auto"] {
        let url = format!("ws://{}/{mode}/chat", app.addr());
        assert_eq!(said(python_client(&[&url])).await, ["open", "done"]);
        logged(
            &app,
            &[
                "tunnel ended",
                &format!("route=\"{mode}\""),
                "end=\"closed\"",
            ],
        )
        .await;
        let open = format!("raincheck_tunnels_open{{route={mode:?}}}");
        assert_eq!(metric(&app, &open).await, Some(0));
        for way in ["up", "down"] {
            let name = format!("raincheck_tunnel_bytes_total{{route={mode:?},way={way:?}}}");
            let bytes = metric(&app, &name).await.must("a counter");
            assert!(bytes > 2 * 1024 * 1024, "{way} {bytes}");
        }
    }
    let (app, trusted) = secure(&server.url).await;
    let url = format!("wss://localhost:{}/sync/chat", app.addr().port());
    assert_eq!(
        said(python_client(&[&url, &trusted])).await,
        ["open", "done"]
    );
}

#[tokio::test]
async fn nodes_ws_on_both_sides_and_http2_in_front() {
    let server = Server::node().await;
    let app = Raincheck::start(&Config::all_modes(&server.url)).await;
    let url = format!("http://{}", app.addr());
    let ws = said(node_client(&["ws", &url, "/auto/x"])).await;
    assert_eq!(ws, ["got hello over ws", "closed 1000"]);
    let (app, _) = secure(&server.url).await;
    let url = format!("https://localhost:{}", app.addr().port());
    let ws = said(node_client(&["ws", &url, "/sync/x"])).await;
    assert_eq!(ws, ["got hello over ws", "closed 1000"]);
    let h2 = said(node_client(&["h2", &url, "/sync/x"])).await;
    let expected = [
        "allowed true",
        "answered 200 ",
        "got hello over h2",
        "closed 1000",
        "ended",
        "refused 501",
    ];
    assert_eq!(h2, expected);
}

#[tokio::test]
async fn chromium_over_both_versions_of_http() {
    let server = Server::node().await;
    let plain = Raincheck::start(&Config::all_modes(&server.url)).await;
    let (tls, _) = secure(&server.url).await;
    for (url, version) in [
        (format!("http://{}", plain.addr()), "1.1"),
        // On a connection of HTTP/2 that is there already, a WebSocket is a stream of it.
        (format!("https://localhost:{}", tls.addr().port()), "2"),
    ] {
        let page = said(node_client(&["chromium", &url, "/sync/page"])).await;
        assert_eq!(page[0], "got hello from a page");
        let via = format!("via {version} raincheck-");
        assert!(page[1].starts_with(&via), "{page:?}");
        assert_eq!(page[2], "closed 1000");
    }
}

#[tokio::test]
async fn curl_gets_the_answer_of_whoever_answers() {
    let server = Server::python().await;
    let app = Raincheck::start(&Config::all_modes(&server.url)).await;
    let ask = async |path: &str, more: &[&str]| {
        let url = format!("http://{}{path}", app.addr());
        let fields = [
            "-H",
            "Connection: Upgrade",
            "-H",
            "Upgrade: websocket",
            &url,
        ];
        curl(&[&["--http1.1", "--max-time", "60"], more, &fields].concat()).await
    };
    // Without a key and a version the server refuses, and says so itself.
    let refused = ask("/sync/x", &[]).await;
    assert_eq!(refused.status(), 400, "{refused:?}");
    assert!(refused.all("raincheck-error").is_empty(), "{refused:?}");
    let stored = ask("/async/x", &[]).await;
    assert_eq!(stored.status(), 501, "{stored:?}");
    assert!(stored.text().contains("upgrade-not-supported"));
    let body = ask("/sync/x", &["-d", "x"]).await;
    assert_eq!(body.status(), 400, "{body:?}");
    assert!(body.text().contains("malformed-request"));
    let key = [
        "-H",
        "Sec-WebSocket-Version: 13",
        "-H",
        "Sec-WebSocket-Protocol: chat",
        "-H",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let switched = ask("/sync/bye", &key).await;
    assert_eq!(switched.status(), 101, "{switched:?}");
    let proof = switched.all("sec-websocket-accept");
    assert_eq!(proof, ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
}

/// A WebSocket that stays open: a client that says when it is, and goes on when it is told.
async fn open_tunnel(app: &Raincheck, path: &str) -> raincheck_e2e::Client {
    let mut client = app.client().await;
    client
        .send(format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-protocol: chat\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ))
        .await;
    let head = client.try_head().await.must("a head");
    assert!(head.start.contains(" 101 "), "{}", head.start);
    client
}

/// One message there and back.
async fn echo(client: &mut raincheck_e2e::Client) {
    client.send(b"\x81\x82\0\0\0\0hi").await;
    assert_eq!(client.exactly(4).await, b"\x81\x02hi");
}

#[tokio::test]
async fn a_tunnel_outlives_a_reload_and_a_replacement_and_ends_with_a_grace_period() {
    let server = Server::python().await;
    let config = Config::all_modes(&server.url).server("grace = \"1s\"");
    let app = Raincheck::start(&config).await;
    let mut tunnel = open_tunnel(&app, "/sync/chat").await;
    echo(&mut tunnel).await;
    app.home
        .configure(&config.clone().each("connect_timeout = \"4s\""));
    app.child.signal(Signal::HUP);
    logged(&app, &["reloaded the routes"]).await;
    echo(&mut tunnel).await;
    let mut replace = process::command();
    replace
        .args(["replace", "--json", "--store-path"])
        .arg(app.home.data());
    let replaced = Child::spawn(replace).exited().await;
    assert_eq!(replaced.code, Some(0), "{}", replaced.stderr);
    // Others are served by the new process; this one goes on in the old one.
    let mut other = open_tunnel(&app, "/sync/chat").await;
    echo(&mut tunnel).await;
    echo(&mut other).await;
    // The old one is told not to wait for it.
    app.child.signal_alone(Signal::TERM);
    let (rest, _) = tunnel.rest().await;
    assert!(rest.is_empty(), "{rest:?}");
    logged(&app, &["tunnel ended", "end=\"cut\""]).await;
    echo(&mut other).await;
}

#[tokio::test]
async fn silence_ends_a_tunnel_and_its_upstream_has_room_again() {
    let server = Server::python().await;
    let port = server.url.rsplit(':').next().must("a port");
    let config = Config::new()
        .route("/ws/{*path}", "APP", "sync")
        .with("connect_timeout = \"200ms\"")
        .with("upgrade_idle_timeout = \"2s\"");
    let home = Home::new(&config);
    let text = std::fs::read_to_string(home.config()).must("the config");
    let text = text.replace("\"APP\"", "\"app\"")
        + &format!(
            "\n[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:{port}\"]\nconnections = 1\n"
        );
    std::fs::write(home.config(), text).must("the config");
    let app = Raincheck::start_in(home).await;
    let mut tunnel = open_tunnel(&app, "/ws/a").await;
    echo(&mut tunnel).await;
    // It is one of the upstream's connections for as long as it is there.
    let full = app.get("/ws/b").await;
    expect::problem(&full, 503, "overloaded");
    let (rest, _) = tunnel.rest().await;
    assert!(rest.is_empty(), "{rest:?}");
    let mut next = open_tunnel(&app, "/ws/c").await;
    echo(&mut next).await;
    logged(&app, &["tunnel ended", "end=\"idle\""]).await;
}
