//! Exchanges with a script on both sides of the wire: `varnishtest` plays the client and the
//! backend, byte by byte, and the gateway stands between them. The scripts are in `e2e/vtc`.

use std::path::{Path, PathBuf};
use std::process::Command;

use raincheck_e2e::{Config, Must, Raincheck, loopback};

/// Seconds that a script may take: it decides only how late a failure is told.
const SECONDS: &str = "30";

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vtc")
}

/// Plays one script; a failure shows its whole log.
async fn play(script: &str) {
    // The gateway must know it before the script begins.
    let backend = loopback::free();
    let url = format!("http://{backend}");
    let config = Config::all_modes(&url)
        .route("/small/{*path}", &url, "sync")
        .with("max_request = \"10\"")
        .route("/again/{*path}", &url, "auto")
        .with("retry = { attempts = 2, backoff = \"10ms\", on = [\"connect\"] }");
    let app = Raincheck::start(&config).await;
    let define = |name: &str, ip: String, port: u16| format!("{name}={ip} {port}");
    let mut varnishtest = Command::new("varnishtest");
    let gateway = app.addr();
    varnishtest
        .args(["-t", SECONDS, "-D"])
        .arg(define("gateway", gateway.ip().to_string(), gateway.port()))
        .arg("-D")
        .arg(define("backend", backend.ip().to_string(), backend.port()))
        .arg(scripts().join(format!("{script}.vtc")));
    let played = tokio::task::spawn_blocking(move || varnishtest.output()).await;
    let played = played
        .must("a thread")
        .must("varnishtest, which `cargo xtask e2e` installs");
    assert!(
        played.status.success(),
        "{script}: {}\n{}",
        String::from_utf8_lossy(&played.stdout),
        String::from_utf8_lossy(&played.stderr)
    );
}

/// A test for each script.
macro_rules! plays {
    ($($script:ident),* $(,)?) => {
        /// Those that are played.
        const PLAYED: &[&str] = &[$(stringify!($script)),*];

        $(
            #[tokio::test]
            async fn $script() {
                play(stringify!($script)).await;
            }
        )*
    };
}

plays!(
    answer_cut,
    answer_reset,
    bodiless,
    chunks,
    chunks_broken,
    closed_after_get,
    closed_after_post,
    continue_accepted,
    continue_refused,
    early_answer,
    http10_backend,
    http10_client,
    idle_closed,
    interim,
    kept_after_errors,
    pipelined,
    too_long_answer,
    trailers,
    two_lengths,
);

#[test]
fn every_script_is_played() {
    let files = std::fs::read_dir(scripts()).must("the scripts");
    let mut names: Vec<String> = files
        .map(|file| file.must("a script").path())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    assert_eq!(names, PLAYED);
}
