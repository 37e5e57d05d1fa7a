//! Where clients connect: several listeners, Unix sockets, sockets that systemd passes on.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use raincheck_e2e::curl::{Answer, curl};
use raincheck_e2e::expect::exit;
use raincheck_e2e::process::{Child, Home, binary};
use raincheck_e2e::{Backend, Must, until};
use serde_json::Value;

/// A config with these sections, its data in the directory, and one sync route.
fn config(home: &Path, sections: &str, backend: &Backend) -> String {
    let (data, url) = (home.join("data"), backend.url());
    format!(
        "{sections}\n[store]\npath = {data:?}\n[[route]]\nname = \"all\"\nmatch = \"/{{*path}}\"\n\
         upstream = {url:?}\nmode = \"sync\"\n"
    )
}

/// A home whose sections may name its directory as `DIR`.
fn home(sections: &str, backend: &Backend) -> Home {
    let home = Home::with_text("");
    let sections = sections.replace("DIR", &home.path().display().to_string());
    let text = config(home.path(), &sections, backend);
    std::fs::write(home.config(), text).must("writing the config");
    home
}

async fn ready(child: &Child) -> Value {
    let line = child.line_with("\"ready\"").await;
    serde_json::from_str(&line).must("the ready line as JSON")
}

async fn through(socket: &Path, path: &str) -> Answer {
    let url = format!("http://localhost{path}");
    curl(&["--unix-socket", &socket.display().to_string(), &url]).await
}

#[tokio::test]
async fn one_gateway_has_several_listeners_of_every_kind() {
    let backend = Backend::echo().await;
    let sections = "[[server.listen]]\naddress = \"127.0.0.1:0\"\n\
                    [[server.listen]]\naddress = \"unix:DIR/web.sock\"\nmode = \"0600\"\n\
                    [[server.listen]]\naddress = \"[::1]:0\"\n\
                    [admin]\nlisten = \"unix:DIR/admin.sock\"";
    let home = home(sections, &backend);
    let child = Child::spawn(home.serve(&[]));
    let event = ready(&child).await;
    let (web, admin) = (home.path().join("web.sock"), home.path().join("admin.sock"));
    assert_eq!(event["listeners"][1], format!("unix:{}", web.display()));
    for index in [0, 2] {
        let at = event["listeners"][index].as_str().must("an address");
        let answer = curl(&[&format!("http://{at}/a")]).await;
        assert_eq!(answer.status(), 200);
    }
    let mode = std::fs::metadata(&web)
        .must("the socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let answer = through(&web, "/b").await;
    assert_eq!(answer.status(), 200);
    backend.wait_for(3).await;
    let head = backend.requests()[2].head.clone();
    assert_eq!(head.all("x-forwarded-for"), ["unknown"]);
    assert_eq!(
        head.all("forwarded"),
        ["for=unknown;host=localhost;proto=http"]
    );

    let metrics = through(&admin, "/metrics").await.text();
    let line = |listener: &Path| {
        format!(
            "raincheck_connections_total{{listener=\"unix:{}\"}} 1",
            listener.display()
        )
    };
    for listener in [&web, &admin] {
        assert!(metrics.contains(&line(listener)), "{metrics}");
    }
    let open = format!(
        "raincheck_connections_open{{listener=\"unix:{}\"}} 1",
        admin.display()
    );
    assert!(metrics.contains(&open), "{metrics}");
}

#[tokio::test]
async fn a_unix_socket_of_a_dead_process_is_replaced_and_that_of_a_live_one_is_not() {
    let backend = Backend::echo().await;
    let sections = "[server]\nlisten = \"unix:DIR/web.sock\"\n[admin]\nlisten = \"off\"";
    let home = home(sections, &backend);
    let web = home.path().join("web.sock");
    let child = Child::spawn(home.serve(&[]));
    ready(&child).await;
    let text = config(
        &home.path().join("other"),
        &format!(
            "[server]\nlisten = \"unix:{}\"\n[admin]\nlisten = \"off\"",
            web.display()
        ),
        &backend,
    );
    let refused = Child::spawn(Home::with_text(&text).serve(&[]))
        .exited()
        .await;
    assert_eq!(refused.code, Some(exit::PORT_IN_USE), "{}", refused.stderr);
    let why = "another process listens there; stop that one, or choose another path";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    assert_eq!(through(&web, "/a").await.status(), 200);

    child.signal(rustix::process::Signal::KILL);
    child.exited().await;
    assert!(web.exists());
    let child = Child::spawn(home.serve(&[]));
    ready(&child).await;
    assert_eq!(through(&web, "/b").await.status(), 200);
}

/// systemd's own tool: it listens, and hands its sockets to the gateway at the first connection.
fn activated(home: &Home, names: &str, sockets: &[&str]) -> Command {
    let mut command = Command::new("systemd-socket-activate");
    for socket in sockets {
        command.args(["-l", socket]);
    }
    command.arg(format!("--fdname={names}"));
    command
        .arg(binary())
        .args(["serve", "--json", "-c"])
        .arg(home.config());
    command
}

#[tokio::test]
async fn sockets_of_systemd_are_taken_by_their_names() {
    let backend = Backend::echo().await;
    let sections = "[server]\nlisten = \"fd:web\"\n[admin]\nlisten = \"fd:admin\"";
    let home = home(sections, &backend);
    let web = home.path().join("web.sock");
    // The tool knows no port 0.
    let free = TcpListener::bind("127.0.0.1:0").must("a free port");
    let port = free.local_addr().must("its address");
    drop(free);
    let sockets = [&*port.to_string(), &*web.display().to_string()];
    let child = Child::spawn(activated(&home, "admin:web", &sockets));
    until("systemd's socket", || web.exists()).await;
    assert_eq!(through(&web, "/a").await.status(), 200);
    let event = ready(&child).await;
    assert_eq!(event["admin"], port.to_string());
    let answer = curl(&[&format!("http://{port}/health/ready")]).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_socket_that_nobody_takes_and_one_that_is_not_there_are_refused() {
    let backend = Backend::echo().await;
    let listen =
        |name: &str| format!("[server]\nlisten = \"fd:{name}\"\n[admin]\nlisten = \"off\"");
    let absent = home(&listen("web"), &backend);
    let refused = Child::spawn(absent.serve(&[])).exited().await;
    assert_eq!(refused.code, Some(exit::PORT_IN_USE), "{}", refused.stderr);
    let why = "no such socket was passed; none was: LISTEN_FDS is not set for this process";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);

    let both = home(&listen("3"), &backend);
    let socket = |name: &str| both.path().join(name).display().to_string();
    let sockets = [socket("one"), socket("two")];
    let [one, two] = [sockets[0].as_str(), sockets[1].as_str()];
    let child = Child::spawn(activated(&both, "one:two", &[one, two]));
    until("systemd's socket", || Path::new(two).exists()).await;
    // It starts the gateway, which does not stay to answer.
    assert_ne!(through(Path::new(one), "/").await.code, 0);
    let refused = child.exited().await;
    assert_eq!(refused.code, Some(exit::USAGE), "{}", refused.stderr);
    let why = "the socket fd:two was passed and no listener takes it";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
}
