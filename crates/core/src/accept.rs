//! Whether a client takes a media type (RFC 9110 section 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

/// Whether `Accept` lets an answer be of this type, as in `text/event-stream`. The most specific
/// range that names it counts; without the field a client takes anything, and what cannot be read
/// names nothing.
pub fn takes(headers: &HeaderMap, media: &str) -> bool {
    if !headers.contains_key(ACCEPT) {
        return true;
    }
    let fields = headers.get_all(ACCEPT).iter();
    let ranges = fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','));
    let best = ranges
        .filter_map(|range| weighed(range, media))
        .max_by_key(|(rank, refused)| (*rank, !refused));
    best.is_some_and(|(_, refused)| !refused)
}

/// How specific a range is that covers the type, and whether its weight refuses it.
fn weighed(range: &str, media: &str) -> Option<(u8, bool)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?;
    let family = media.split_once('/')?.0;
    let rank = match name.split_once('/')? {
        ("*", "*") => 0,
        (own, "*") if own.eq_ignore_ascii_case(family) => 1,
        _ if name.eq_ignore_ascii_case(media) => 2,
        _ => return None,
    };
    let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let refused = weight.is_some_and(|weight| weight.trim().parse::<f32>().unwrap_or(0.0) <= 0.0);
    Some((rank, refused))
}

#[cfg(test)]
mod tests {
    //! What clients say, and what they mean by it.

    use http::HeaderMap;

    use super::takes;

    fn events(fields: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append("accept", field.parse().unwrap());
        }
        takes(&headers, "text/event-stream")
    }

    #[test]
    fn the_most_specific_range_counts() {
        assert!(events(&[]));
        for taken in [
            "*/*",
            "text/event-stream",
            "TEXT/Event-Stream; q=0.1",
            "text/*",
            "application/json, */*;q=0.1",
            "*/*;q=0, text/event-stream",
            "text/event-stream;charset=utf-8",
        ] {
            assert!(events(&[taken]), "{taken}");
        }
        for refused in [
            "application/json",
            "",
            "text/event-stream;q=0",
            "text/event-stream;q=0.000, */*",
            "text/*;q=0, */*",
            "text/event-stream;q=some",
            "nonsense, text",
        ] {
            assert!(!events(&[refused]), "{refused}");
        }
        assert!(events(&["application/json", "text/event-stream"]));
    }
}
