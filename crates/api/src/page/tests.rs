//! The page's policy names what stands in it, and what came from outside cannot change it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::{POLICY, SCRIPT, STYLE, escape, fill, span};

fn digest(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

#[test]
fn the_policy_names_the_style_and_the_script() {
    for (what, text) in [("style", STYLE), ("script", SCRIPT)] {
        let wanted = format!("{what}-src {}", digest(text));
        assert!(POLICY.contains(&wanted), "write {wanted} into the policy");
    }
    for never in ["unsafe", "http:", "https:", " *"] {
        assert!(!POLICY.contains(never), "{never}");
    }
}

#[test]
fn what_comes_from_outside_is_text() {
    let escaped = escape("<b onclick='x'>\"&\u{202e}\u{7}\n");
    assert_eq!(
        escaped,
        "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;\u{fffd}\u{fffd}\u{fffd}"
    );
}

#[test]
fn a_value_is_never_taken_for_a_place() {
    let fields = [("a", "{{b}}".to_owned()), ("b", "x".to_owned())];
    assert_eq!(fill("<{{a}}|{{b}}|{{c}}|{{", &fields), "<{{b}}|x||");
}

#[test]
fn times_are_read_at_a_glance() {
    for (seconds, text) in [
        (0, "0 s"),
        (61, "1 min 1 s"),
        (3600, "1 h 0 s"),
        (7384, "2 h 3 min 4 s"),
    ] {
        assert_eq!(span(Duration::from_secs(seconds)), text);
    }
}
