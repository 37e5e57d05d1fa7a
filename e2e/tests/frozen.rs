//! Processes that stand still for a while and go on: the gateway's own, and the backend's.

use std::process::Command;

use raincheck_e2e::process::{self, Child};
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, ticket};
use rustix::process::Signal;

/// Everything that was to happen meanwhile happens once it goes on: answers that came, clients that
/// asked, and one run of each.
#[tokio::test]
async fn a_gateway_that_was_frozen_loses_and_repeats_nothing() {
    let answer = Event::new("answer");
    let backend = Backend::always(Script::new().wait(&answer).ok("done")).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let held = |mode: &str| app.request("POST", &format!("/{mode}/x"));
    let key = |request: raincheck_e2e::request::Request| request.header("idempotency-key", "a");
    let job = app.submit("/async/x", "order").await.id;
    let mut clients = [held("sync"), held("auto"), key(held("auto")).body("order")];
    let mut first = Vec::new();
    for client in &mut clients {
        first.push(client.begin().await);
    }
    backend.wait_for(4).await;
    app.child.signal_alone(Signal::STOP);
    // Who repeats a request now, or comes first now, waits in the kernel's queues.
    let mut again = clients[2].begin().await;
    let mut late = held("async").body("late").begin().await;
    answer.fire();
    for number in 0..4 {
        backend.wait_served(number).await;
    }
    app.child.signal_alone(Signal::CONT);
    for client in &mut first {
        assert_eq!(client.response().await.expect(200).text(), "done");
    }
    assert_eq!(again.response().await.expect(200).text(), "done");
    let late = ticket(&late.response().await).id;
    for id in [&job, &late] {
        let ended = app.finished(id).await;
        assert_eq!(
            (&ended["status"], &ended["executions"]),
            (&"succeeded".into(), &1.into())
        );
    }
    assert_eq!(backend.count(), 5);
}

/// A backend of its own process, which says on stdout where it is and what it is asked.
fn python() -> Child {
    let mut command = Command::new(process::python());
    command.args(["-u", "-c", SERVER]);
    Child::spawn(command)
}

const SERVER: &str = r#"
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        print("asked", self.headers["raincheck-attempt"], flush=True)
        try:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass
    def log_message(self, *args):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_port, flush=True)
server.serve_forever()
"#;

/// The kernel takes its connections and requests, and nobody can tell whether it has seen them.
#[tokio::test]
async fn a_backend_that_stands_still_gets_each_attempt_once_and_its_job_ends() {
    let server = python();
    let line = server.line_with("port ").await;
    let port = line.rsplit(' ').next().must("a port").trim();
    let retry = "retry = { attempts = 100, backoff = \"10ms\", max_backoff = \"10ms\", \
                 on = [\"timeout\"] }";
    let config = Config::auto(&format!("http://127.0.0.1:{port}"))
        .with("hold = \"50ms\"")
        .with("timeout = \"500ms\"")
        .with(retry);
    let app = Raincheck::start(&config).await;
    server.signal_alone(Signal::STOP);
    let held = app.request("PUT", "/x").body("order").send().await;
    let id = ticket(&held.expect(202)).id;
    // It counts what the backend may have seen, which is so far nothing.
    raincheck_e2e::within("a second attempt", async {
        while app.status(&id).await["executions"] != 2 {}
    })
    .await;
    server.signal_alone(Signal::CONT);
    let ended = app.finished(&id).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(app.result(&id).await.expect(200).text(), "order");
    let said = server.stdout();
    let mut seen: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("asked"))
        .collect();
    let all = seen.len();
    assert!(
        all as u64 <= ended["executions"].as_u64().must("a number"),
        "{said} {ended}"
    );
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), all, "an attempt came twice: {said}");
}
