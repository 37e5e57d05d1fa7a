//! No bytes may make two servers count different requests. The corpus (`e2e/corpus`) goes through
//! raincheck to the backends people use, and to each of them directly to see that it bites.

#[path = "strictness/backends.rs"]
mod backends;
#[path = "strictness/table.rs"]
mod table;

use std::collections::BTreeMap;

use backends::{Kind, Real};
use raincheck_e2e::corpus::{self, Case, Verdict};
use raincheck_e2e::raw::Close;
use raincheck_e2e::{Backend, Client, Config, End, Must, Raincheck, Seen, expect, frames};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Cases that are on their way at once.
const AT_ONCE: usize = 16;

/// What raincheck answered to a case: every response until it closed.
struct Answers {
    ours: Option<(u16, String)>,
    theirs: Vec<(u16, String)>,
}

/// Sends one case and reads until the connection is closed.
async fn send(mut client: Client, bytes: Vec<u8>) -> Answers {
    // The gateway may answer and close before it has read everything.
    let _ = client.try_send(bytes).await;
    let mut answers = Answers {
        ours: None,
        theirs: Vec::new(),
    };
    while let Ok(mut response) = client.try_start("GET").await {
        client.finish(&mut response).await;
        if response.header("raincheck-error").is_some() {
            assert!(answers.ours.is_none(), "two refusals on one connection");
            let code = response.json()["code"].as_str().must("a code").to_owned();
            expect::problem(&response, response.status, &code);
            answers.ours = Some((response.status, code));
        } else {
            assert!(answers.ours.is_none(), "an answer after a refusal");
            answers.theirs.push((response.status, response.text()));
        }
    }
    let (rest, close) = client.rest().await;
    assert!(rest.is_empty(), "bytes that are no response");
    assert_eq!(close, Close::Eof, "the client could lose the answer");
    answers
}

/// What a backend that tells says in its answers must be what the corpus says.
fn check(case: &Case, number: usize, answers: &Answers, kind: Kind) {
    let name = &case.name;
    let targets = case.targets(number);
    let early = usize::from(!kind.tells() && answers.ours.is_none());
    match &case.ours {
        // A backend that answers without the body may have done so before the body was refused.
        Verdict::Refused(..) if early == 1 && answers.theirs.len() == targets.len() + 1 => return,
        _ => assert_eq!(
            answers.theirs.len(),
            targets.len(),
            "{name}: {:?}",
            answers.ours
        ),
    }
    match &case.ours {
        Verdict::Passes(_) => assert_eq!(answers.ours, None, "{name}"),
        Verdict::Refused(_, status, code) => {
            assert_eq!(answers.ours, Some((*status, code.clone())), "{name}");
        }
    }
    if !kind.tells() {
        return;
    }
    for ((status, text), target) in answers.theirs.iter().zip(&targets) {
        if case.may_be_refused && *status == 400 {
            continue;
        }
        assert_eq!(*status, 200, "{name}: {text}");
        let said: serde_json::Value = serde_json::from_str(text).must("JSON");
        let seen = said["target"].as_str().must("a target");
        let path = seen.split('?').next().must("a path");
        assert!(path.ends_with(target), "{name}: {seen} for {target}");
        if let Some(word) = &case.hides {
            assert!(
                !said["headers"].to_string().contains(word),
                "{name}: {text}"
            );
        }
    }
}

/// Every case through raincheck to one backend, in one mode.
async fn through(backend: &Real, app: &Raincheck, kind: Kind, first: usize) {
    let mut running = JoinSet::new();
    for (index, case) in corpus::all().into_iter().enumerate() {
        if running.len() >= AT_ONCE {
            running
                .join_next()
                .await
                .must("a case")
                .must("a case that holds");
        }
        let (number, client) = (first + index, app.client().await);
        running.spawn(async move {
            let answers = send(client, case.numbered(number)).await;
            check(&case, number, &answers, kind);
        });
    }
    while let Some(case) = running.join_next().await {
        case.must("a case that holds");
    }
    let expected: BTreeMap<_, _> = corpus::all()
        .iter()
        .enumerate()
        .map(|(index, case)| (first + index, case.targets(first + index)))
        .filter(|(_, targets)| !targets.is_empty())
        .collect();
    backend.expect_seen(&expected).await;
}

/// What was logged holds no byte that a terminal or a log reader would act on.
async fn clean_log(app: &Raincheck) {
    app.terminate();
    let said = app.child.exited().await.stderr;
    assert!(said.contains("request refused"), "{said}");
    let bad = |c: char| (c.is_control() && c != '\n') || is_bidi(c);
    let line = said.lines().find(|line| line.contains(bad));
    assert_eq!(line, None, "a control character in the log");
}

/// Characters that turn the direction of text around (Unicode TR 9).
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One backend, behind both ways in which a request goes on: streamed, and from memory.
async fn counts_the_same(kind: Kind) {
    let backend = Real::start(kind).await;
    for (first, config) in [
        (0, Config::sync(backend.url())),
        (5000, Config::auto(backend.url())),
    ] {
        let app = Raincheck::start(&config.log("level = \"debug\"")).await;
        through(&backend, &app, kind, first).await;
        clean_log(&app).await;
    }
}

macro_rules! backends {
    ($($name:ident $kind:ident),*) => {$(
        #[tokio::test]
        async fn $name() {
            counts_the_same(Kind::$kind).await;
        }
    )*};
}

backends!(
    node_counts_what_we_count Node,
    gunicorn_counts_what_we_count Gunicorn,
    uvicorn_with_h11_counts_what_we_count UvicornH11,
    uvicorn_with_httptools_counts_what_we_count UvicornHttptools,
    aiohttp_counts_what_we_count Aiohttp,
    aiohttp_in_python_counts_what_we_count AiohttpPython,
    waitress_counts_what_we_count Waitress,
    tornado_counts_what_we_count Tornado,
    nginx_counts_what_we_count Nginx,
    apache_counts_what_we_count Apache
);

/// Without raincheck the same bytes do make servers disagree: otherwise the corpus would prove
/// nothing. Writes the table of the docs where `RAINCHECK_WRITE_DOCS` is set.
#[tokio::test(flavor = "multi_thread")]
async fn without_us_backends_disagree() {
    let mut columns = JoinSet::new();
    for kind in Kind::ALL {
        columns.spawn(async move { (kind, Real::start(kind).await.direct().await) });
    }
    let columns: BTreeMap<_, _> = columns.join_all().await.into_iter().collect();
    let cases = corpus::all();
    let disagree = |index: &usize| {
        let counts: Vec<_> = columns.values().map(|column| column[*index]).collect();
        counts.iter().any(|count| *count != counts[0])
    };
    let disputed = (0..cases.len()).filter(disagree).count();
    assert!(disputed >= 40, "only {disputed} cases are disputed");
    for (kind, column) in &columns {
        let honest = cases.iter().position(|case| case.name == "honest pipeline");
        assert_eq!(
            column[honest.must("the case")],
            3,
            "{kind:?} does not pipeline"
        );
    }
    if std::env::var_os("RAINCHECK_WRITE_DOCS").is_some() {
        table::write(&cases, &columns, disputed);
    }
}

/// HTTP/2 frames that are wrong in one way each.
#[tokio::test]
async fn malformed_frames_are_refused_as_the_standard_says() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let mut wrong = Vec::new();
    for (number, case) in frames::all().into_iter().enumerate() {
        let before = backend.count();
        let stream = TcpStream::connect(app.addr()).await.must("a connection");
        let told = frames::send(stream, &case.numbered(number)).await;
        let passed = backend.requests().split_off(before);
        if !holds(&case.ours, &told, &passed) {
            wrong.push(format!(
                "{}: {} expected, but {told:?}",
                case.name, case.ours
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    app.get("/alive").await.expect(200);
    clean_log(&app).await;
}

/// Whether a case of frames came out as it should.
fn holds(ours: &str, told: &frames::Told, passed: &[Seen]) -> bool {
    if let Some(code) = ours.strip_prefix("closes ") {
        // What came before may have been answered; nothing that came after may be.
        return told.goaway.as_deref() == Some(code) && told.closed && told.sentinel.is_none();
    }
    let first = if ours == "passes" { "200" } else { ours };
    let whole = passed.iter().filter(|seen| seen.body.end == End::Complete);
    told.first.as_deref() == Some(first)
        && told.sentinel.as_deref() == Some("200")
        && whole.count() == 1 + usize::from(first == "200")
        && passed
            .iter()
            .all(|seen| !seen.target().contains("smuggled"))
}
