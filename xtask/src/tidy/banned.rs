//! Text that may not be written, where it may not be written, and what to write instead.
//!
//! Most bans on calls are in `clippy.toml`, because clippy knows which function a name means. Here
//! are those that depend on the place: in tests, in the core, in one file.

use crate::tidy::files::File;
use crate::tidy::items::Items;
use crate::tidy::scan::{Line, is_word};
use crate::tidy::{Rule, Violation};

/// In which lines a ban holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Everywhere,
    /// In tests that run on the real clock.
    RealTimeTests,
    /// In files that do not use tokio's clock, which tests can pause.
    WithoutTokioTime,
    Core,
}

struct Ban {
    rule: Rule,
    text: &'static str,
    place: Place,
    remedy: &'static str,
}

const CODE: &[Ban] = &[
    ban(
        Rule::BlockingSleep,
        "thread::sleep",
        Place::Everywhere,
        "wait for what is to happen",
    ),
    ban(
        Rule::SleepInTest,
        "sleep(",
        Place::RealTimeTests,
        "wait for a named event, or run on a simulated clock (start_paused = true)",
    ),
    ban(
        Rule::WallClock,
        "SystemTime::now",
        Place::Everywhere,
        "take the time as an argument; only the binary's clock reads it",
    ),
    ban(
        Rule::RealClock,
        "Instant::now",
        Place::WithoutTokioTime,
        "use tokio::time::Instant, which tests can pause",
    ),
    ban(
        Rule::Unfinished,
        "todo!",
        Place::Everywhere,
        "build it, or leave the case out",
    ),
    ban(
        Rule::Unfinished,
        "unimplemented!",
        Place::Everywhere,
        "build it, or leave the case out",
    ),
    ban(Rule::Unfinished, "dbg!", Place::Everywhere, "remove it"),
    ban(
        Rule::BareAllow,
        "#[allow",
        Place::Everywhere,
        "write #[expect(.., reason = \"..\")]",
    ),
    ban(
        Rule::BareAllow,
        "#![allow",
        Place::Everywhere,
        "write #![expect(.., reason = \"..\")]",
    ),
    ban(
        Rule::WallClock,
        "jiff::Timestamp::now",
        Place::Everywhere,
        "take the time as an argument",
    ),
    ban(
        Rule::WallClock,
        "Zoned::now",
        Place::Everywhere,
        "take the time as an argument",
    ),
    ban(
        Rule::PureCore,
        "Instant::now",
        Place::Core,
        "take the time as an argument",
    ),
    ban(
        Rule::PureCore,
        "std::fs",
        Place::Core,
        "the core does no I/O: return an action",
    ),
    ban(
        Rule::PureCore,
        "std::net::Tcp",
        Place::Core,
        "the core does no I/O: return an action",
    ),
    ban(
        Rule::PureCore,
        "std::process",
        Place::Core,
        "the core does no I/O: return an action",
    ),
    ban(
        Rule::PureCore,
        "std::env",
        Place::Core,
        "take the value as an argument",
    ),
    ban(
        Rule::PureCore,
        "std::thread",
        Place::Core,
        "the core waits for nothing",
    ),
    ban(
        Rule::PureCore,
        "println!",
        Place::Core,
        "the core prints and logs nothing",
    ),
    ban(
        Rule::PureCore,
        "eprintln!",
        Place::Core,
        "the core prints and logs nothing",
    ),
    ban(
        Rule::PureCore,
        "async fn",
        Place::Core,
        "the core waits for nothing",
    ),
    ban(
        Rule::PureCore,
        "Uuid::new_v",
        Place::Core,
        "take the random bytes as an argument",
    ),
    ban(
        Rule::PureCore,
        "Uuid::now_v",
        Place::Core,
        "take time and random bytes as arguments",
    ),
];

const COMMENT: &[Ban] = &[
    ban(
        Rule::Marker,
        "TODO",
        Place::Everywhere,
        "file an issue, or do it",
    ),
    ban(
        Rule::Marker,
        "FIXME",
        Place::Everywhere,
        "file an issue, or fix it",
    ),
    ban(
        Rule::Marker,
        "XXX",
        Place::Everywhere,
        "file an issue, or say what the danger is",
    ),
];

const fn ban(rule: Rule, text: &'static str, place: Place, remedy: &'static str) -> Ban {
    Ban {
        rule,
        text,
        place,
        remedy,
    }
}

/// Every banned text of one file.
pub fn check(file: &File, lines: &[Line], items: &Items) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let number = index + 1;
        let in_code = CODE.iter().filter(|ban| contains(&line.code, ban.text));
        let in_comment = COMMENT
            .iter()
            .filter(|ban| contains(&line.comment, ban.text));
        let here = in_code
            .chain(in_comment)
            .filter(|ban| holds(ban.place, file, items, number));
        found.extend(here.map(|ban| Violation {
            rule: ban.rule,
            path: file.path.clone(),
            line: number,
            what: format!("`{}` is banned here", ban.text.trim_end()),
            remedy: ban.remedy,
        }));
    }
    found
}

fn holds(place: Place, file: &File, items: &Items, line: usize) -> bool {
    match place {
        Place::Everywhere => true,
        Place::RealTimeTests => (file.is_test() || items.is_test(line)) && !items.is_paused(line),
        Place::WithoutTokioTime => !file.text.contains("tokio::time"),
        Place::Core => file.path.starts_with("crates/core/src/"),
    }
}

/// True if the text is there as a whole: not as the end of a longer name, nor as the start of one,
/// nor where a function of that name is defined.
fn contains(line: &str, text: &str) -> bool {
    line.match_indices(text).any(|(at, _)| {
        let before = &line[..at];
        let after = &line[at + text.len()..];
        let ends_open = text.chars().last().is_some_and(is_word);
        let inside = before.chars().last().is_some_and(is_word) && text.starts_with(is_word);
        let goes_on = ends_open && after.chars().next().is_some_and(is_word);
        !inside && !goes_on && !before.ends_with("fn ")
    })
}
