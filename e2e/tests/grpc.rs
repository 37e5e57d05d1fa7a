//! gRPC through the gateway: the usual client, the usual server, every kind of call.

use std::path::PathBuf;
use std::process::Command;

use raincheck_e2e::process::{self, Child};
use raincheck_e2e::{Config, Must, Raincheck};

fn app(name: &str) -> Command {
    let mut command = Command::new(process::python());
    let apps = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("apps");
    command.arg(apps.join(name)).env("PYTHONUNBUFFERED", "1");
    command
}

#[tokio::test]
async fn every_kind_of_call_passes_and_a_cancel_reaches_the_server() {
    let server = Child::spawn(app("grpc_server.py"));
    let line = server.line_with("port ").await;
    let port: u16 = line
        .trim()
        .rsplit(' ')
        .next()
        .must("a port")
        .parse()
        .must("a port");
    let upstream = format!(
        "\n[[upstream]]\nname = \"grpc\"\nservers = [\"http://127.0.0.1:{port}\"]\nprotocol = \"h2\""
    );
    let config = Config::new()
        .route("/test.Echo/{method}", "grpc", "sync")
        .with(&upstream);
    let gateway = Raincheck::start(&config).await;
    let mut client = app("grpc_client.py");
    client.arg(gateway.addr().to_string());
    let client = Child::spawn(client);
    let exit = client.exited().await;
    let told = gateway.admin("GET", "/metrics").send().await.text();
    let problems: Vec<_> = told
        .lines()
        .filter(|line| line.contains("problems_total{"))
        .collect();
    assert_eq!(
        exit.code,
        Some(0),
        "{exit:?}\n{problems:?}\n{}",
        gateway.child.stderr()
    );
    assert!(client.stdout().contains("all is well"), "{exit:?}");
    server.line_with("cancelled").await;
}
