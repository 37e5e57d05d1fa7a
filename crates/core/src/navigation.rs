//! Whether a request comes from a person's browser that opens a page, rather than from a program.

use http::HeaderMap;
use http::header::ACCEPT;

/// Whether the client is a browser on its way to a page: it prefers HTML to JSON and to anything
/// else, and where it says how it fetches, it says that it navigates (Fetch Metadata, W3C).
pub fn navigates(headers: &HeaderMap) -> bool {
    let fetches = headers.get("sec-fetch-mode");
    if fetches.is_some_and(|mode| mode.as_bytes() != b"navigate") {
        return false;
    }
    let html = quality(headers, &["text/html", "application/xhtml+xml"]);
    let other = quality(headers, &["application/json", "application/*", "*/*"]);
    html > other
}

/// The best quality in thousandths that `Accept` gives one of these (RFC 9110 section 12.5.1);
/// a malformed one is none.
fn quality(headers: &HeaderMap, types: &[&str]) -> u16 {
    let fields = headers.get_all(ACCEPT).iter();
    let items = fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','));
    items
        .filter_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let media = parts.next()?;
            let known = types.iter().any(|known| media.eq_ignore_ascii_case(known));
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            known.then(|| weight.map_or(1000, thousandths))
        })
        .max()
        .unwrap_or(0)
}

fn thousandths(weight: &str) -> u16 {
    let parsed = weight.parse::<f32>().unwrap_or(0.0);
    // Within bounds that fit; a fraction of a thousandth is nothing.
    (parsed.clamp(0.0, 1.0) * 1000.0) as u16
}

#[cfg(test)]
mod tests {
    //! Browsers that navigate, and all others.

    use http::HeaderMap;

    use super::navigates;

    fn asked(accept: &str, mode: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("accept", accept.parse().unwrap());
        if let Some(mode) = mode {
            headers.insert("sec-fetch-mode", mode.parse().unwrap());
        }
        navigates(&headers)
    }

    #[test]
    fn a_browser_that_opens_a_page_navigates() {
        let chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert!(asked(chromium, Some("navigate")));
        assert!(
            asked(chromium, None),
            "an old one does not say how it fetches"
        );
        assert!(asked("text/html", None) && asked("TEXT/HTML;q=0.5", None));
    }

    #[test]
    fn a_program_does_not() {
        assert!(!navigates(&HeaderMap::new()));
        for accept in [
            "*/*",
            "application/json",
            "text/html, */*",
            "text/html;q=0.3, application/json;q=0.4",
            "text/html;q=nonsense",
            "text/html;q=0",
        ] {
            assert!(!asked(accept, None), "{accept}");
        }
        assert!(!asked("text/html", Some("cors")), "a script that fetches");
    }
}
