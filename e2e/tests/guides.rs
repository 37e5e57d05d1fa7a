//! What the README and the guides show can be used as it stands there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use raincheck_e2e::process::run;
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck};
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The README and every guide.
fn pages() -> Vec<PathBuf> {
    let guides = std::fs::read_dir(root().join("docs/guide")).must("the guides");
    let guides = guides.map(|entry| entry.must("a guide").path());
    std::iter::once(root().join("README.md"))
        .chain(guides)
        .collect()
}

/// Each block of TOML on a page.
fn blocks(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).must("a page");
    let blocks = text.split("```toml\n").skip(1);
    blocks
        .map(|rest| rest.split("```").next().must("an end").to_owned())
        .collect()
}

/// A file with this block, which may leave out the header of a route.
fn file(block: &str) -> String {
    let begins = block
        .lines()
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    match begins.is_some_and(|line| line.starts_with('[')) {
        true => block.to_owned(),
        false => format!("[defaults]\n{block}"),
    }
}

#[tokio::test]
async fn every_config_that_is_shown_passes_the_check() {
    let dir = tempfile::tempdir().must("a directory");
    let config = dir.path().join("raincheck.toml");
    let mut checked = 0;
    for page in pages() {
        // Certificates that nobody has are a mistake of the files, not of the page.
        for block in blocks(&page)
            .iter()
            .filter(|block| !block.contains("certificate"))
        {
            let text = file(block)
                .replace("${BACKEND_TOKEN}", "x")
                .replace("${WEBHOOK_KEY}", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
            std::fs::write(&config, text).must("the config");
            let path = config.display().to_string();
            let mut args = vec!["check", &path];
            if !block.contains("[[route]]") {
                args.extend(["--upstream", "http://127.0.0.1:9000"]);
            }
            let exit = run(&args).await;
            assert_eq!(
                exit.code,
                Some(0),
                "{}:\n{block}\n{}",
                page.display(),
                exit.stderr
            );
            checked += 1;
        }
    }
    assert!(checked > 12, "{checked}");
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    let mut seen = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).must("a page");
        for rest in text.split("](").skip(1) {
            let link = rest.split([')', '#']).next().must("a link");
            if link.is_empty() || link.contains("://") {
                continue;
            }
            let file = page.parent().must("a directory").join(link);
            assert!(file.exists(), "{}: {link}", page.display());
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

/// The names of a document's members, those of its links too.
fn members(document: &Value) -> BTreeSet<String> {
    let names = |value: &Value| -> Vec<String> {
        let object = value.as_object().must("an object");
        object.keys().cloned().collect()
    };
    let links = names(&document["links"]).into_iter();
    let links = links.map(|name| format!("links.{name}"));
    names(document).into_iter().chain(links).collect()
}

#[tokio::test]
async fn the_ticket_of_the_readme_has_what_a_ticket_has() {
    let readme = std::fs::read_to_string(root().join("README.md")).must("the README");
    let (_, rest) = readme
        .split_once("HTTP/1.1 202 Accepted\n")
        .must("a ticket");
    let sample = rest.split("```").next().must("its end");
    let (head, body) = sample.split_once("\n\n").must("a body");
    let shown: BTreeSet<String> = head
        .lines()
        .map(|line| line.split(':').next().must("a name").to_owned())
        .collect();

    let never = Event::new("never");
    let backend = Backend::slow(&never).await;
    let config = Config::auto(&backend.url()).with("hold = \"1ms\"");
    let app = Raincheck::start(&config).await;
    let ticket = app.get("/slow/report").await.expect(202);
    let missing: Vec<&String> = shown.iter().filter(|name| !ticket.head.has(name)).collect();
    assert!(missing.is_empty(), "only in the README: {missing:?}");
    for name in ["location", "retry-after", "link", "raincheck-job-id"] {
        assert!(shown.contains(name), "the README lacks {name}");
    }
    let sample: Value = serde_json::from_str(body.trim()).must("a document");
    assert_eq!(members(&sample), members(&ticket.json()));
}
