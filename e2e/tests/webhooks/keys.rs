//! Keys that are taken away or changed while messages wait.

use raincheck_e2e::{Backend, Config, Must, Raincheck, Script, until};

use super::{FIRST, SECOND, config, delivery, id_of, submit};

/// The line of the log with this text.
async fn logged(app: &Raincheck, text: &str) -> String {
    until(text, || app.child.stderr().contains(text)).await;
    let log = app.child.stderr();
    let line = log.lines().find(|line| line.contains(text));
    line.must("the line").to_owned()
}

#[tokio::test]
async fn what_waits_when_the_keys_are_taken_away_is_named_kept_and_sent_later() {
    let backend = Backend::always(Script::new().ok("done")).await;
    let receiver = Backend::in_order(vec![
        Script::new().until_closed(),
        Script::new().ok("thanks"),
    ])
    .await;
    let mut app = Raincheck::start(&config(&backend)).await;
    let id = submit(&app, &receiver).await;
    receiver.wait_for(1).await;

    // The process dies between a try and its record, and the next one has no keys.
    app.home.configure(&Config::queued(&backend.url()));
    app.restart().await;
    let line = logged(&app, "webhooks wait and are not sent").await;
    assert!(
        line.contains("waiting=\"1\"") && line.contains(&id),
        "{line}"
    );
    delivery(&app, &id, "pending").await;
    let again = format!("/jobs/{id}/deliveries/1/redeliver");
    let refused = app.request("POST", &again).send().await;
    assert!(refused.status >= 400, "{}", refused.text());
    assert_eq!(receiver.count(), 1);

    // With another key it is the same message, signed with that one alone.
    let rotated = Config::queued(&backend.url())
        .with(r#"callback = { header = "Callback-Url" }"#)
        .webhooks(&format!("keys = [{SECOND:?}]"))
        .webhooks(r#"allow = ["127.0.0.0/8"]"#);
    app.home.configure(&rotated);
    app.restart().await;
    delivery(&app, &id, "delivered").await;
    let seen = receiver.requests();
    assert_eq!(id_of(&seen[0]), id_of(&seen[1]));
    assert_eq!(seen[0].body.bytes, seen[1].body.bytes);
    let signatures = |index: usize| {
        let all = seen[index].header("webhook-signature").unwrap_or_default();
        all.split(' ').count()
    };
    assert_eq!((signatures(0), signatures(1)), (3, 1));
    // Nothing waits any more, so nothing is said.
    app.home.configure(&Config::queued(&backend.url()));
    app.restart().await;
    app.terminate();
    app.child.exited().await;
    assert!(!app.child.stderr().contains("webhooks wait"));
}

#[tokio::test]
async fn a_reload_that_takes_the_keys_says_that_it_takes_a_restart() {
    let backend = Backend::always(Script::new().ok("done")).await;
    let app = Raincheck::start(&config(&backend)).await;
    app.home.configure(&Config::queued(&backend.url()));
    app.child.signal(rustix::process::Signal::HUP);
    let line = logged(&app, "webhooks.keys").await;
    assert!(line.contains("restart"), "{line}");
    assert!(
        !app.child.stderr().contains(&FIRST[7..]),
        "no secret is logged"
    );
}
