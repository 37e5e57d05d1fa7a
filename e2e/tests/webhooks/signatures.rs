//! Signatures, checked by the reference libraries of PyPI and npm, and by Node's Ed25519.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use raincheck_e2e::{Backend, Must, Raincheck, Script, Seen, process};
use serde_json::{Value, json};

use super::{FIRST, PUBLIC, SECOND, config, delivery, submit, text_of};

fn message(seen: &Seen, secret: &str) -> Value {
    let field = |name: &str| seen.header(name).must("a field");
    json!({
        "secret": secret,
        "headers": {
            "webhook-id": field("webhook-id"),
            "webhook-timestamp": field("webhook-timestamp"),
            "webhook-signature": field("webhook-signature"),
        },
        "body": text_of(seen),
    })
}

/// The same message with one thing changed.
fn altered(message: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut altered = message.clone();
    change(&mut altered);
    altered
}

/// What a verifier says of each message.
fn verdicts(mut verifier: Command, messages: &[Value]) -> Vec<String> {
    let clients = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients");
    let mut child = verifier
        .current_dir(clients)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .must("the verifier");
    let mut stdin = child.stdin.take().must("its input");
    for message in messages {
        writeln!(stdin, "{message}").must("writing to it");
    }
    drop(stdin);
    let output = child.wait_with_output().must("its end");
    let text = String::from_utf8(output.stdout).must("text");
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn both_reference_libraries_take_what_is_ours_and_nothing_else() {
    let backend = Backend::always(Script::new().json(r#"{"name":"Jürgen \"J\" 😀"}"#)).await;
    let receiver = Backend::always(Script::new().ok("thanks")).await;
    let app = Raincheck::start(&config(&backend)).await;
    let id = submit(&app, &receiver).await;
    delivery(&app, &id, "delivered").await;
    let good = message(&receiver.only(), FIRST);
    let header = |name: &'static str, value: &'static str| {
        altered(&good, move |own| own["headers"][name] = value.into())
    };
    let unsigned = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut messages = vec![
        good.clone(),
        altered(&good, |own| own["secret"] = SECOND.into()),
        altered(&good, |own| own["secret"] = unsigned.into()),
        altered(&good, |own| {
            let body = own["body"]
                .as_str()
                .must("text")
                .replacen("succeeded", "failed", 1);
            own["body"] = body.into();
        }),
        header("webhook-id", "whk_of_another_1"),
        header("webhook-timestamp", "1614265330"),
        header("webhook-signature", "v1,AAAA"),
    ];
    let expected = ["good", "good", "bad", "bad", "bad", "bad", "bad"];
    let mut python = Command::new(process::python());
    python.arg("webhooks.py");
    assert_eq!(verdicts(python, &messages), expected);

    let asymmetric = altered(&good, |own| own["secret"] = PUBLIC.into());
    let forged = altered(&asymmetric, |own| own["body"] = "{}".into());
    messages.extend([asymmetric, forged]);
    let mut node = Command::new("node");
    node.arg("webhooks.mjs");
    node.env("RAINCHECK_TEST_NODE_MODULES", process::node_modules());
    let expected = [&expected[..], &["good", "bad"]].concat();
    assert_eq!(verdicts(node, &messages), expected);
}

/// A receiver that knows the new key only, and one that knows the old one only, are both served
/// while two keys are there.
#[tokio::test]
async fn keys_are_changed_one_after_the_other() {
    let backend = Backend::always(Script::new().ok("done")).await;
    let receiver = Backend::always(Script::new().ok("thanks")).await;
    let with_keys = |keys: &str| {
        raincheck_e2e::Config::queued(&backend.url())
            .with(r#"callback = { header = "Callback-Url" }"#)
            .webhooks(&format!("keys = [{keys}]"))
            .webhooks(r#"allow = ["127.0.0.1"]"#)
    };
    let both = format!("{FIRST:?}, {SECOND:?}");
    let mut app = Raincheck::start(&with_keys(&format!("{FIRST:?}"))).await;
    let mut signatures = Vec::new();
    for keys in [both, format!("{SECOND:?}")] {
        let id = submit(&app, &receiver).await;
        delivery(&app, &id, "delivered").await;
        app.home.configure(&with_keys(&keys));
        app.terminate();
        app.child.exited().await;
        app.restart().await;
    }
    let id = submit(&app, &receiver).await;
    delivery(&app, &id, "delivered").await;
    let mut messages = Vec::new();
    for seen in receiver.requests() {
        signatures.push(
            seen.header("webhook-signature")
                .must("it")
                .split(' ')
                .count(),
        );
        messages.extend([message(&seen, FIRST), message(&seen, SECOND)]);
    }
    assert_eq!(signatures, [1, 2, 1]);
    let mut python = Command::new(process::python());
    python.arg("webhooks.py");
    let expected = ["good", "bad", "good", "good", "bad", "good"];
    assert_eq!(verdicts(python, &messages), expected);
}
