//! TLS and the PROXY protocol, with the clients that people use: curl, openssl, nghttp.

use std::process::{Command, Stdio};

use raincheck_e2e::authority::{Authority, replace};
use raincheck_e2e::curl::{Answer, curl};
use raincheck_e2e::expect::exit;
use raincheck_e2e::process::{Child, Home};
use raincheck_e2e::{Backend, Must, until, within};
use serde_json::Value;

/// A gateway with one sync route and these keys of its listener; `DIR` stands for its directory.
struct Gateway {
    backend: Backend,
    home: Home,
    child: Child,
    port: u16,
    admin: String,
    authority: Authority,
}

impl Gateway {
    async fn start(listener: &str) -> Self {
        let backend = Backend::echo().await;
        let home = Home::with_text("");
        let authority = Authority::new("Test authority");
        let dir = home.path();
        replace(&dir.join("ca.pem"), &authority.pem);
        authority.issue(dir, "a", &["a.example", "localhost"]);
        authority.issue(dir, "b", &["b.example", "*.wild.example"]);
        let (url, shown) = (backend.url(), dir.display().to_string());
        let text = format!(
            "[server]\ntls_reload = \"100ms\"\n[[server.listen]]\naddress = \"127.0.0.1:0\"\n{listener}\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"DIR/data\"\n[[route]]\nname = \"all\"\n\
             match = \"/{{*path}}\"\nupstream = {url:?}\nmode = \"sync\"\n"
        );
        std::fs::write(home.config(), text.replace("DIR", &shown)).must("writing the config");
        let child = Child::spawn(home.serve(&[]));
        let line = child.line_with("\"ready\"").await;
        let event: Value = serde_json::from_str(&line).must("the ready line");
        let listen = event["listen"].as_str().must("an address");
        let port = listen
            .rsplit(':')
            .next()
            .must("a port")
            .parse()
            .must("a number");
        let admin = event["admin"].as_str().must("an address").to_owned();
        Self {
            backend,
            home,
            child,
            port,
            admin,
            authority,
        }
    }

    fn file(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    /// curl to a host of this gateway, checking its certificate.
    async fn get(&self, host: &str, more: &[&str]) -> Answer {
        let resolve = format!("{host}:{}:127.0.0.1", self.port);
        let (url, ca) = (
            format!("https://{host}:{}/x", self.port),
            self.file("ca.pem"),
        );
        let common = ["--resolve", &resolve, "--cacert", &ca, &url];
        curl(&[more, &common].concat()).await
    }

    /// The first line of the log with this text, once there is one.
    async fn logged(&self, text: &str) -> String {
        let line = || {
            let log = self.child.stdout() + &self.child.stderr();
            let line = log.lines().find(|line| line.contains(text));
            line.map(str::to_owned)
        };
        until(text, || line().is_some()).await;
        line().must("the line")
    }

    async fn metrics(&self) -> String {
        let answer = curl(&[&format!("http://{}/metrics", self.admin)]).await;
        assert_eq!(answer.status(), 200, "{answer:?}");
        answer.text()
    }

    /// What `openssl s_client` says of a handshake.
    async fn openssl(&self, args: &[&str]) -> String {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &format!("127.0.0.1:{}", self.port)]);
        output(command.args(args)).await
    }
}

/// All that a program says, with nothing to read.
async fn output(command: &mut Command) -> String {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().must("the program is installed");
    let run = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = run.await.must("its thread").must("its output");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

const TLS: &str = "tls = [{ certificate = \"DIR/a.pem\", key = \"DIR/a.key\" }, \
                   { certificate = \"DIR/b.pem\", key = \"DIR/b.key\" }]";

#[tokio::test]
async fn names_and_protocols_are_agreed_on() {
    let gateway = Gateway::start(TLS).await;
    for host in ["a.example", "b.example", "x.wild.example"] {
        for (version, expected) in [("--http1.1", "HTTP/1.1 200"), ("--http2", "HTTP/2 200")] {
            let answer = gateway.get(host, &[version]).await;
            assert!(answer.head.starts_with(expected), "{answer:?}");
        }
    }
    // Two labels are not one, and an unknown name gets the first certificate.
    for host in ["x.y.wild.example", "unknown.example"] {
        assert_eq!(gateway.get(host, &[]).await.code, 60, "{host}");
    }
    let unknown = gateway.openssl(&["-servername", "unknown.example"]).await;
    assert!(unknown.contains("CN = a"), "{unknown}");

    let head = gateway.backend.requests()[0].head.clone();
    let port = gateway.port;
    assert_eq!(head.all("x-forwarded-proto"), ["https"]);
    assert_eq!(head.all("x-forwarded-port"), [port.to_string()]);
    let forwarded = format!("for=127.0.0.1;host=\"a.example:{port}\";proto=https");
    assert_eq!(head.all("forwarded"), [forwarded]);
    assert!(head.all("raincheck-client-subject").is_empty());

    for (args, said) in [
        (
            &["-tls1_2", "-alpn", "h2,http/1.1"][..],
            ["TLSv1.2", "ALPN protocol: h2"],
        ),
        (
            &["-tls1_3", "-alpn", "http/1.1"],
            ["TLSv1.3", "ALPN protocol: http/1.1"],
        ),
        (&["-tls1_3"], ["TLSv1.3", "No ALPN negotiated"]),
    ] {
        let told = gateway.openssl(args).await;
        assert!(
            said.iter().all(|part| told.contains(part)),
            "{args:?}: {told}"
        );
    }
    let old = gateway
        .openssl(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        .await;
    assert!(old.contains("SSL alert number"), "{old}");
    let none = gateway.openssl(&["-alpn", "spdy/3"]).await;
    assert!(none.contains("no application protocol"), "{none}");

    let url = format!("https://127.0.0.1:{port}/x");
    let told = output(Command::new("nghttp").args(["-nv", &url])).await;
    assert!(told.contains(":status: 200"), "{told}");
    let plain = curl(&[&format!("http://127.0.0.1:{port}/x")]).await;
    assert_ne!(plain.code, 0);
    let refused = "raincheck_connections_refused_total{listener=\"127.0.0.1:0\",reason=\"tls\"}";
    // It is counted behind the close that curl has seen.
    within(refused, async {
        while !gateway.metrics().await.contains(refused) {}
    })
    .await;
}

#[tokio::test]
async fn certificates_are_renewed_without_a_stop_and_bad_ones_change_nothing() {
    let gateway = Gateway::start(TLS).await;
    let dir = gateway.home.path().to_owned();
    let known = gateway.openssl(&["-servername", "a.example"]).await;
    let serial = |told: &str| {
        let from = told.find("-----BEGIN").must("a certificate");
        told[from..]
            .split("-----END")
            .next()
            .must("its text")
            .to_owned()
    };
    gateway
        .authority
        .issue(&dir, "a", &["a.example", "localhost"]);
    gateway.logged("certificates loaded").await;
    let renewed = gateway.openssl(&["-servername", "a.example"]).await;
    assert_ne!(serial(&renewed), serial(&known));

    // One after another, each with its reason; the old one goes on.
    let bad = [
        (
            "a.pem",
            "no certificate here".to_owned(),
            "holds no certificate",
            "empty",
        ),
        (
            "a.key",
            std::fs::read_to_string(dir.join("b.key")).must("a key"),
            "is not that of",
            "mismatch",
        ),
        (
            "a.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
            "cannot be used",
            "unusable",
        ),
    ];
    for (file, text, why, kind) in bad {
        let path = dir.join(file);
        let good = std::fs::read_to_string(&path).must("the good one");
        replace(&path, &text);
        let line = gateway.logged(why).await;
        assert!(
            line.contains("certificates not loaded; the old ones stay"),
            "{line}"
        );
        let still = gateway.openssl(&["-servername", "a.example"]).await;
        assert_eq!(serial(&still), serial(&renewed));
        let name =
            format!("raincheck_tls_loads_total{{listener=\"127.0.0.1:0\",result=\"{kind}\"}}");
        let metrics = gateway.metrics().await;
        assert!(metrics.contains(&name), "{metrics}");
        replace(&path, &good);
    }
    std::fs::remove_file(dir.join("a.pem")).must("removing it");
    gateway.logged("cannot read").await;
    assert_eq!(gateway.get("a.example", &[]).await.status(), 200);
}

#[tokio::test]
async fn a_connection_outlives_the_certificate_it_was_made_with() {
    let gateway = Gateway::start(TLS).await;
    let dir = gateway.home.path().to_owned();
    // One handshake, and the second request after the renewal: curl waits in between.
    let first = format!("https://127.0.0.1:{}/first", gateway.port);
    let script = format!(
        "import http.client,ssl,sys\nc=http.client.HTTPSConnection('127.0.0.1',{},context=ssl._create_unverified_context())\n\
         for path in ('/first','/second'):\n  c.request('GET',path)\n  r=c.getresponse()\n  r.read()\n  print('status',r.status,flush=True)\n  \
         old=c.sock\n  sys.stdin.readline()\n  assert c.sock is old\n",
        gateway.port
    );
    let mut python = Command::new("python3");
    python
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut python = python.spawn().must("python");
    gateway.backend.wait_for(1).await;
    gateway.authority.issue(&dir, "a", &["a.example"]);
    gateway.logged("certificates loaded").await;
    let mut stdin = python.stdin.take().must("stdin");
    std::io::Write::write_all(&mut stdin, b"\n\n").must("writing");
    drop(stdin);
    let run = tokio::task::spawn_blocking(move || python.wait_with_output());
    let done = run.await.must("its thread").must("its output");
    assert!(done.status.success(), "{first}");
    assert_eq!(
        String::from_utf8_lossy(&done.stdout),
        "status 200\nstatus 200\n"
    );
}

#[tokio::test]
async fn a_certificate_that_does_not_load_at_the_start_is_a_mistake() {
    let home = Home::with_text(
        "[[server.listen]]\naddress = \"127.0.0.1:0\"\ntls = { certificate = \"none.pem\", key = \"none.key\" }\n\
         [admin]\nlisten = \"off\"\n[[route]]\nname = \"all\"\nmatch = \"/\"\nupstream = \"http://127.0.0.1:9\"\n",
    );
    let mut serve = home.serve(&[]);
    serve.arg("--store-path").arg(home.data());
    let exit = Child::spawn(serve).exited().await;
    assert_eq!(exit.code, Some(exit::USAGE), "{}", exit.stderr);
    assert!(
        exit.stderr
            .contains("no TLS on 127.0.0.1:0: cannot read none.pem"),
        "{}",
        exit.stderr
    );
}

#[tokio::test]
async fn clients_may_or_must_have_a_certificate() {
    for (auth, without) in [("optional", true), ("required", false)] {
        let client = "\nclient_ca = \"DIR/ca.pem\"\nclient_auth = ";
        let gateway = Gateway::start(&format!("{TLS}{client}\"{auth}\"")).await;
        gateway.authority.issue(gateway.home.path(), "client", &[]);
        Authority::new("Somebody else").issue(gateway.home.path(), "forged", &[]);
        let of = |name: &str| {
            (
                gateway.file(&format!("{name}.pem")),
                gateway.file(&format!("{name}.key")),
            )
        };
        let (cert, key) = of("client");
        let forged = [
            "-H",
            "Raincheck-Client-Subject: CN=root",
            "-H",
            "raincheck_client_subject: CN=root",
        ];
        for version in ["--http1.1", "--http2"] {
            let args = [&["--cert", &cert, "--key", &key, version], &forged[..]].concat();
            assert_eq!(gateway.get("a.example", &args).await.status(), 200);
            let head = gateway.backend.requests().pop().must("a request").head;
            let subject = head.all("raincheck-client-subject");
            assert_eq!(subject, ["O=Caf\\C3\\A9\\, Ltd,CN=client"], "{head:?}");
            assert!(head.all("raincheck_client_subject").is_empty());
        }
        let (cert, key) = of("forged");
        let refused = gateway
            .get("a.example", &["--cert", &cert, "--key", &key])
            .await;
        assert_ne!(refused.code, 0, "{refused:?}");
        let answer = gateway.get("a.example", &forged).await;
        assert_eq!(answer.code == 0, without, "{answer:?}");
        if without {
            let head = gateway.backend.requests().pop().must("a request").head;
            assert!(head.all("raincheck-client-subject").is_empty(), "{head:?}");
        }
    }
}

#[tokio::test]
async fn the_proxy_protocol_says_who_the_client_is() {
    let gateway = Gateway::start("proxy_protocol = [\"127.0.0.1\"]").await;
    let url = format!("http://127.0.0.1:{}/x", gateway.port);
    let answer = curl(&["--haproxy-protocol", &url]).await;
    assert_eq!(answer.status(), 200);
    let without = curl(&[&*url]).await;
    assert_ne!(without.code, 0);
    let line = gateway.logged("connection refused").await;
    assert!(line.contains("proxy_header"), "{line}");

    let stranger = Gateway::start("proxy_protocol = [\"192.0.2.0/24\"]").await;
    let url = format!("http://127.0.0.1:{}/x", stranger.port);
    assert_ne!(curl(&["--haproxy-protocol", &url]).await.code, 0);
    let line = stranger.logged("connection refused").await;
    assert!(line.contains("not_a_proxy"), "{line}");
    assert_eq!(stranger.backend.count(), 0);
}

/// HAProxy and nginx would send this; what is sent here is what they send, byte for byte.
#[tokio::test]
async fn the_proxy_protocol_comes_before_tls() {
    let gateway = Gateway::start(&format!("{TLS}\nproxy_protocol = [\"127.0.0.1\"]")).await;
    let script = format!(
        "import socket,ssl\ns=socket.create_connection(('127.0.0.1',{}))\n\
         s.sendall(bytes.fromhex('0d0a0d0a000d0a515549540a2111000f') + bytes([203,0,113,9,10,0,0,1,0x0f,0xa0,1,0xbb,4,0,0]))\n\
         c=ssl._create_unverified_context().wrap_socket(s,server_hostname='b.example')\n\
         c.sendall(b'GET /x HTTP/1.1\\r\\nhost: b.example\\r\\nconnection: close\\r\\n\\r\\n')\n\
         print(c.recv(100).split(b'\\r\\n')[0].decode())\n",
        gateway.port
    );
    let told = output(Command::new("python3").args(["-c", &script])).await;
    assert_eq!(told, "HTTP/1.1 200 OK\n");
    let head = gateway.backend.only().head;
    assert_eq!(head.all("x-forwarded-for"), ["203.0.113.9"]);
    assert_eq!(
        head.all("forwarded"),
        ["for=203.0.113.9;host=b.example;proto=https"]
    );
}
