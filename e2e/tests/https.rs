//! http that is sent on to https, on listeners of our own, followed by curl.

use raincheck_e2e::curl::curl;
use raincheck_e2e::process::{Child, Home};
use raincheck_e2e::{Backend, Must};
use serde_json::Value;

#[tokio::test]
async fn http_is_sent_on_to_https_and_served_there() {
    let backend = Backend::echo().await;
    let home = Home::with_text("");
    let signed = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]);
    let signed = signed.must("a certificate");
    let write = |name, text| std::fs::write(home.path().join(name), text).must("a file");
    write("a.pem", signed.cert.pem());
    write("a.key", signed.signing_key.serialize_pem());
    let (url, dir) = (backend.url(), home.path().display().to_string());
    let config = format!(
        "[[server.listen]]\naddress = \"127.0.0.1:0\"\n\
         [[server.listen]]\naddress = \"127.0.0.1:0\"\n\
         tls = {{ certificate = \"{dir}/a.pem\", key = \"{dir}/a.key\" }}\n\
         [admin]\nlisten = \"off\"\n[store]\npath = \"{dir}/data\"\n\
         [[route]]\nname = \"all\"\nmatch = \"/{{*path}}\"\nupstream = {url:?}\nmode = \"sync\"\n\
         redirect = {{ to = \"https://{{host}}{{uri}}\", status = 308 }}\n"
    );
    std::fs::write(home.config(), config).must("writing the config");
    let child = Child::spawn(home.serve(&[]));
    let event: Value = serde_json::from_str(&child.line_with("\"ready\"").await).must("JSON");
    let listeners = event["listeners"].as_array().must("addresses");
    let ports: Vec<&str> = listeners
        .iter()
        .filter_map(|address| address.as_str()?.rsplit(':').next())
        .collect();
    let [plain, secure] = ports[..] else {
        panic!("not two listeners: {event}");
    };
    let sent_on = format!("http://a.example:{plain}/x?y=1");
    let resolve = format!("a.example:{plain}:127.0.0.1");
    let answer = curl(&["--resolve", &resolve, &sent_on]).await;
    assert_eq!(answer.status(), 308, "{answer:?}");
    assert_eq!(answer.all("location"), ["https://a.example/x?y=1"]);
    assert_eq!(backend.count(), 0);
    // A client follows to the default port, which this test cannot have.
    let to = format!("a.example:443:127.0.0.1:{secure}");
    let ca = home.path().join("a.pem").display().to_string();
    let follow = [
        "-L",
        "--resolve",
        &resolve,
        "--connect-to",
        &to,
        "--cacert",
        &ca,
    ];
    let answer = curl(&[&follow[..], &["--data", "work", &sent_on]].concat()).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    let body = "\"body\":\"work\"";
    assert!(answer.text().contains(body), "{answer:?}");
    assert_eq!(
        backend.requests()[0]
            .head
            .get("x-forwarded-proto")
            .as_deref(),
        Some("https")
    );
}
