//! URLs that are not accepted: 422 before anything is stored or sent, and nothing of the target
//! leaks.

use raincheck_e2e::{Backend, Config, Must, Raincheck, Response, Script, expect};

use super::{FIRST, config, delivery, submit};

/// Spellings of loopback and of other places that must not be called; `PORT` is that of a listener
/// which counts who comes.
const DENIED: [&str; 52] = [
    "http://127.0.0.1:PORT/",
    "https://127.0.0.1:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://127.1:PORT/",
    "http://127.0.1:PORT/",
    "http://127.255.255.254:PORT/",
    "http://2130706433:PORT/",
    "http://0x7f000001:PORT/",
    "http://0X7F000001:PORT/",
    "http://0x7f.0x0.0x0.0x1:PORT/",
    "http://0x7f.1:PORT/",
    "http://017700000001:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://0177.0.0.01:PORT/",
    "http://00000177.0.0.1:PORT/",
    "http://127.0.0.0x1:PORT/",
    "http://0:PORT/",
    "http://0.0.0.0:PORT/",
    "http://[::]:PORT/",
    "http://[::1]:PORT/",
    "http://[0:0:0:0:0:0:0:1]:PORT/",
    "http://[::127.0.0.1]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://[::ffff:7f00:1]:PORT/",
    "http://[::FFFF:7F00:1]:PORT/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/",
    "http://[::1%25lo]:PORT/",
    "http://[64:ff9b::127.0.0.1]:PORT/",
    "http://[64:ff9b:1::7f00:1]:PORT/",
    "http://[2002:7f00:1::]:PORT/",
    "http://localhost:PORT/",
    "http://LOCALHOST:PORT/",
    "http://localhost.:PORT/",
    "http://%31%32%37.0.0.1:PORT/",
    "http://127.0.0.1%00.example.com:PORT/",
    "http://user@127.0.0.1:PORT/",
    "http://example.com@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT\\@example.com/",
    "http://127.0.0.1:PORT#@example.com/",
    "http:127.0.0.1:PORT/",
    "http:///127.0.0.1:PORT/",
    "//127.0.0.1:PORT/",
    "127.0.0.1:PORT",
    "gopher://127.0.0.1:PORT/_GET",
    "http://10.0.0.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://192.168.1.1/",
];

async fn named(app: &Raincheck, url: &str) -> Response {
    let asked = app.request("POST", "/work").header("callback-url", url);
    asked.body("x").send().await
}

#[tokio::test]
async fn no_spelling_of_a_denied_address_is_accepted_or_called() {
    let backend = Backend::echo().await;
    let trap = Backend::echo().await;
    let strict = Config::queued(&backend.url())
        .with(r#"callback = { header = "Callback-Url" }"#)
        .webhooks(&format!("keys = {FIRST:?}"));
    let app = Raincheck::start(&strict).await;
    let port = trap.addr().port().to_string();
    for url in DENIED {
        let answer = named(&app, &url.replace("PORT", &port)).await;
        expect::problem(&answer, 422, "callback-refused");
    }
    let list = app.admin("GET", "/jobs").send().await.expect(200).json();
    assert_eq!(list["jobs"].as_array().map(Vec::len), Some(0), "{list}");
    assert_eq!((backend.count(), trap.connections()), (0, 0));
}

/// Whether a name is there, or where it leads, is not told.
#[tokio::test]
async fn a_denied_name_and_one_that_is_not_there_get_the_same_words() {
    let backend = Backend::echo().await;
    let denies = config(&backend).webhooks(r#"deny = ["*.denied.example"]"#);
    let app = Raincheck::start(&denies).await;
    let mut details = Vec::new();
    for url in [
        "http://x.denied.example/",
        "http://nobody.invalid/",
        "http://10.0.0.1/",
        "http://[fd00::1]:8080/",
    ] {
        let problem = expect::problem(&named(&app, url).await, 422, "callback-refused");
        details.push(problem["detail"].as_str().must("a detail").to_owned());
    }
    details.dedup();
    assert_eq!(details.len(), 1, "{details:?}");
    for url in [
        "http://127.0.0.1:22/",
        "http://127.0.0.1:0/",
        "https://",
        "",
    ] {
        expect::problem(&named(&app, url).await, 422, "callback-refused");
    }
    let twice = app
        .request("POST", "/work")
        .header("callback-url", "http://a.invalid/");
    let twice = twice
        .header("callback-url", "http://b.invalid/")
        .send()
        .await;
    expect::problem(&twice, 422, "callback-refused");
    assert_eq!(backend.count(), 0);
}

/// A URL that was good once is looked at again at each try.
#[tokio::test]
async fn a_url_that_turns_bad_is_a_failed_delivery_that_says_so() {
    let backend = Backend::always(Script::new().ok("done")).await;
    let receiver = Backend::always(Script::new().until_closed()).await;
    let mut app = Raincheck::start(&config(&backend)).await;
    let id = submit(&app, &receiver).await;
    receiver.wait_for(1).await;
    let stricter = Config::queued(&backend.url())
        .with(r#"callback = { header = "Callback-Url" }"#)
        .webhooks(&format!("keys = {FIRST:?}"))
        .webhooks("schedule = []");
    app.kill().await;
    app.home.configure(&stricter);
    app.restart().await;
    let failed = delivery(&app, &id, "failed").await;
    assert_eq!(failed["tries"][0]["error"], "denied");
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn only_https_where_that_is_said() {
    let backend = Backend::echo().await;
    let strict = config(&backend).webhooks("https_only = true");
    let app = Raincheck::start(&strict).await;
    let plain = named(&app, "http://127.0.0.1:8080/").await;
    let problem = expect::problem(&plain, 422, "callback-refused");
    assert!(problem["detail"].as_str().must("it").contains("https"));
    named(&app, "https://127.0.0.1:8080/").await.expect(202);
}
