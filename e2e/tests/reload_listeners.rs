//! A reload of listeners, of the files of their certificates and of bounds over all that comes in:
//! all of it or nothing, and nobody who is connected notices.

use std::path::Path;

use raincheck_e2e::authority::Authority;
use raincheck_e2e::curl::{Answer, curl};
use raincheck_e2e::process::{Child, Home};
use raincheck_e2e::{Backend, Client, Config, Event, Must, Raincheck, expect, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// A gateway with one sync route, and its operators at a Unix socket, so that a test may have every
/// port changed.
struct Gateway {
    backend: Backend,
    home: Home,
    child: Child,
    /// The first listener.
    at: std::net::SocketAddr,
}

impl Gateway {
    async fn start(backend: Backend, listeners: &str) -> Self {
        let home = Home::with_text("");
        write(&home, listeners, &backend.url());
        let child = Child::spawn(home.serve(&[]));
        let line = child.line_with("\"ready\"").await;
        let event: Value = serde_json::from_str(&line).must("the ready line");
        let at = event["listen"].as_str().and_then(|at| at.parse().ok());
        let at = at.must("an address");
        Self {
            backend,
            home,
            child,
            at,
        }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    /// curl through a Unix socket in the directory.
    async fn through(&self, socket: &str, args: &[&str]) -> Answer {
        curl(&[&["--unix-socket", &self.path(socket)], args].concat()).await
    }

    /// Reloads with these listeners.
    async fn reload(&self, listeners: &str) -> Answer {
        write(&self.home, listeners, &self.backend.url());
        let url = "http://localhost/reload";
        self.through("admin.sock", &["-X", "POST", url]).await
    }

    /// The same; returns what was said of listeners.
    async fn reloaded(&self, listeners: &str) -> Value {
        let answer = self.reload(listeners).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let told: Value = serde_json::from_slice(&answer.body).must("JSON");
        assert_eq!(told["restart"], json!([]));
        told["listeners"].clone()
    }

    /// Over TLS, with the certificate of an authority in a file.
    async fn secure(&self, authority: &str) -> Answer {
        let port = self.at.port();
        let resolve = format!("a.example:{port}:127.0.0.1");
        let url = format!("https://a.example:{port}/x");
        let ca = self.path(authority);
        curl(&["--resolve", &resolve, "--cacert", &ca, &url]).await
    }
}

/// Writes a config; `DIR` stands for the directory.
fn write(home: &Home, listeners: &str, url: &str) {
    let text = format!(
        "{listeners}\n[admin]\nlisten = \"unix:DIR/admin.sock\"\n[store]\npath = \"DIR/data\"\n\
         [[route]]\nname = \"all\"\nmatch = \"/{{*path}}\"\nupstream = {url:?}\nmode = \"sync\"\n"
    );
    let text = text.replace("DIR", &home.path().display().to_string());
    std::fs::write(home.config(), text).must("writing the config");
}

const PORT: &str = "[[server.listen]]\naddress = \"127.0.0.1:0\"\n";
const REQUEST: &str = "GET /x HTTP/1.1\r\nhost: x\r\n\r\n";

fn socket(name: &str) -> String {
    format!("[[server.listen]]\naddress = \"unix:DIR/{name}\"\n")
}

fn tls(name: &str) -> String {
    format!("{PORT}tls = {{ certificate = \"DIR/{name}.pem\", key = \"DIR/{name}.key\" }}\n")
}

#[tokio::test]
async fn listeners_come_and_go_and_no_exchange_ends() {
    let gate = Event::new("the answer");
    let gateway = Gateway::start(
        Backend::slow(&gate).await,
        &(PORT.to_owned() + &socket("old.sock")),
    )
    .await;
    let mut kept = Client::connect(gateway.at).await;
    kept.send(REQUEST).await;
    let path = gateway.path("old.sock");
    let held =
        tokio::spawn(async move { curl(&["--unix-socket", &path, "http://localhost/held"]).await });
    gateway.backend.wait_for(2).await;

    let shown = |name: &str| format!("unix:{}", gateway.path(name));
    let told = gateway
        .reloaded(&(PORT.to_owned() + &socket("new.sock")))
        .await;
    assert_eq!(
        told,
        json!({ "added": [shown("new.sock")], "removed": [shown("old.sock")], "changed": [] })
    );
    let refused = gateway.through("old.sock", &["http://localhost/x"]).await;
    assert_eq!(refused.code, 7, "{refused:?}");
    gate.fire();
    assert_eq!(held.await.must("curl").status(), 200);
    kept.response().await.expect(200);
    // The port stayed open, and so did the connection.
    kept.exchange(REQUEST).await.expect(200);
    Client::connect(gateway.at)
        .await
        .exchange(REQUEST)
        .await
        .expect(200);
    let fresh = gateway.through("new.sock", &["http://localhost/x"]).await;
    assert_eq!(fresh.status(), 200);

    // By signal too, and back.
    write(
        &gateway.home,
        &(PORT.to_owned() + &socket("old.sock")),
        &gateway.backend.url(),
    );
    gateway.child.signal(Signal::HUP);
    let told = || {
        gateway
            .child
            .stderr()
            .matches("reloaded the listeners")
            .count()
    };
    until("the second reload", || told() == 2).await;
    let again = gateway.through("old.sock", &["http://localhost/x"]).await;
    assert_eq!(again.status(), 200);
    kept.exchange(REQUEST).await.expect(200);
    gateway.child.signal(Signal::TERM);
    assert_eq!(gateway.child.exited().await.code, Some(0));
}

#[tokio::test]
async fn a_listener_that_cannot_be_had_changes_nothing() {
    let backend = Backend::echo().await;
    let other = Backend::echo().await;
    let gateway = Gateway::start(backend, PORT).await;
    let taken = format!(
        "[[server.listen]]\naddress = \"{}\"\n{}",
        other.addr(),
        socket("b.sock")
    );
    let nowhere = PORT.to_owned() + &socket("none/a.sock");
    let everywhere = format!(
        "[[server.listen]]\naddress = \"0.0.0.0:{}\"\n",
        gateway.at.port()
    );
    let passed = PORT.to_owned() + "[[server.listen]]\naddress = \"fd:web\"\n";
    for (listeners, why) in [
        (taken, "another process has this port"),
        (nowhere, "No such file or directory"),
        (everywhere, "this process has the port for 127.0.0.1:0"),
        (passed, "sockets are passed only at the start"),
    ] {
        let refused = gateway.reload(&listeners).await;
        assert_eq!(refused.status(), 422, "{}", refused.text());
        assert!(refused.text().contains(why), "{}", refused.text());
        let mut client = Client::connect(gateway.at).await;
        client.exchange(REQUEST).await.expect(200);
        let unopened = gateway.through("b.sock", &["http://localhost/x"]).await;
        assert_ne!(unopened.code, 0);
    }
}

/// Writes the certificates of two authorities: `one` and `two`, theirs `one-ca.pem` and `two-ca.pem`.
fn certificates(dir: &Path) {
    for name in ["one", "two"] {
        let authority = Authority::new(name);
        authority.issue(dir, name, &["a.example"]);
        std::fs::write(dir.join(format!("{name}-ca.pem")), &authority.pem).must("writing it");
    }
}

#[tokio::test]
async fn certificates_at_other_paths_are_taken_whole_or_not_at_all() {
    let gate = Event::new("the answer");
    let gateway = Gateway::start(Backend::slow(&gate).await, PORT).await;
    certificates(gateway.home.path());
    let mut plain = Client::connect(gateway.at).await;
    plain.send(REQUEST).await;
    gateway.backend.wait_for(1).await;

    // Plain to TLS at the same port: what is in flight ends in plain text.
    let changed = json!({ "added": [], "removed": [], "changed": ["127.0.0.1:0"] });
    assert_eq!(gateway.reloaded(&tls("one")).await, changed);
    let port = gateway.at.port();
    let (resolve, ca) = (
        format!("a.example:{port}:127.0.0.1"),
        gateway.path("one-ca.pem"),
    );
    let held = tokio::spawn(async move {
        let url = format!("https://a.example:{port}/held");
        curl(&["--resolve", &resolve, "--cacert", &ca, &url]).await
    });
    gateway.backend.wait_for(2).await;

    // Files that do not load refuse all of the config, with its other listeners.
    let wrong = tls("none") + &socket("b.sock");
    let refused = gateway.reload(&wrong).await;
    assert_eq!(refused.status(), 422, "{}", refused.text());
    assert!(refused.text().contains("none.pem"), "{}", refused.text());
    assert_ne!(
        gateway
            .through("b.sock", &["http://localhost/x"])
            .await
            .code,
        0
    );

    assert_eq!(gateway.reloaded(&tls("two")).await, changed);
    assert_eq!(gateway.reloaded(&tls("two")).await["changed"], json!([]));
    gate.fire();
    plain.response().await.expect(200);
    plain.expect_closed().await;
    assert_eq!(held.await.must("curl").status(), 200);
    assert_eq!(gateway.secure("two-ca.pem").await.status(), 200);
    assert_eq!(gateway.secure("one-ca.pem").await.code, 60);

    // And back to plain text: no certificate is left whose end somebody would be told of.
    assert_eq!(gateway.reloaded(PORT).await, changed);
    let mut plain = Client::connect(gateway.at).await;
    plain.exchange(REQUEST).await.expect(200);
    let metrics = gateway
        .through("admin.sock", &["http://localhost/metrics"])
        .await;
    assert!(
        !metrics
            .text()
            .contains("raincheck_tls_expires_timestamp_seconds{")
    );
}

#[tokio::test]
async fn bounds_of_what_comes_in_change_with_a_reload() {
    let backend = Backend::silent().await;
    let config = Config::sync(&backend.url());
    let app = Raincheck::start(&config).await;
    let reload = |config: Config| {
        app.home.configure(&config);
        async { app.admin("POST", "/reload").send().await.expect(200).json() }
    };
    let mut first = app.client().await;
    first.send(REQUEST).await;
    backend.wait_for(1).await;

    let told = reload(config.clone().limit("requests = 1")).await;
    assert_eq!(told["restart"], json!([]));
    expect::problem(&app.get("/x").await, 503, "overloaded");

    reload(config.clone().limit("client_rate = \"1/h\"")).await;
    let mut second = app.client().await;
    second.send(REQUEST).await;
    backend.wait_for(2).await;
    expect::problem(&app.get("/x").await, 429, "rate-limited");

    // Those that came before there was a bound do not count, and stay.
    reload(config.clone().server("max_connections_per_client = 1")).await;
    let mut third = app.client().await;
    third.send(REQUEST).await;
    backend.wait_for(3).await;
    if let Ok(stream) = TcpStream::connect(app.addr()).await {
        Client::over(stream).expect_closed().await;
    }
    reload(config).await;
    let mut fourth = app.client().await;
    fourth.send(REQUEST).await;
    backend.wait_for(4).await;
}
