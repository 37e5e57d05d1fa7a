//! A config's text, variable and flag: whatever they are, there is a plan or a list of mistakes
//! that can be shown.

use raincheck_config::{Overrides, load};

/// The text, and behind a zero byte what a variable and a flag say.
pub(crate) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (text, value) = text.split_once('\0').unwrap_or((&text, ""));
    let variables = ["RAINCHECK_HOLD", "RAINCHECK_UPSTREAM", "X"];
    let environment = variables.map(|name| (name.to_owned(), value.to_owned()));
    let overrides = Overrides {
        upstream: (!value.is_empty()).then(|| value.to_owned()),
        ..Overrides::default()
    };
    match load(Some(("f.toml", text)), environment, &overrides) {
        Ok(plan) => drop(plan),
        Err(errors) => {
            assert!(errors.count() > 0, "refused without a reason");
            let plain = errors.render(false);
            let shown = plain.chars().filter(|c| c.is_control() && *c != '\n');
            assert_eq!(shown.count(), 0, "a control character in {plain:?}");
            assert!(errors.render(true).len() >= plain.len());
            assert!(serde_json::to_string(&errors).is_ok());
        }
    }
}
