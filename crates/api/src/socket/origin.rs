//! Whose pages may open a socket: browsers let any page do so, with the user's cookies and from
//! inside the user's network, and leave it to the server to look at `Origin` (RFC 6455 section
//! 10.2).

use http::{Request, Uri, header};
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_core::rewrite::Cors;

/// Lets in programs, which send no `Origin`, pages of the gateway's own host or of `public_url`
/// (which `base` begins with, where there is one), and pages that the job API's `cors` lets in.
///
/// # Errors
/// The page is from elsewhere.
pub(super) fn check<B>(
    request: &Request<B>,
    base: &str,
    cors: Option<&Cors>,
) -> Result<(), Problem> {
    let mut origins = request.headers().get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return Ok(());
    };
    let origin = origin.to_str().ok().filter(|_| origins.next().is_none());
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    let host = host.or(request
        .uri()
        .authority()
        .map(|authority| authority.as_str()));
    let allowed = origin.is_some_and(|origin| {
        is_own(origin, host) || is_public(origin, base) || cors.is_some_and(|c| c.lets_in(origin))
    });
    match allowed {
        true => Ok(()),
        false => Err(Problem::new(
            ProblemCode::AccessDenied,
            "pages of this origin may not open a WebSocket here; let it in with `server.cors`, or \
             set `server.public_url` if it is the gateway's own",
        )),
    }
}

/// Whether a page comes from the host it asks. The scheme is not compared: behind a proxy that ends
/// TLS it is another one.
fn is_own(origin: &str, host: Option<&str>) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return false,
    };
    let bare = |text: &str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
    host.is_some_and(|host| !host.is_empty() && bare(host) == bare(authority))
}

fn is_public(origin: &str, base: &str) -> bool {
    let Ok(base) = base.parse::<Uri>() else {
        return false;
    };
    match (base.scheme_str(), base.authority()) {
        (Some(scheme), Some(authority)) => {
            origin.eq_ignore_ascii_case(&format!("{scheme}://{authority}"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    //! Programs, own pages, public pages, pages from elsewhere.

    use http::Request;

    use super::check;

    fn allowed(origin: &str, host: &str, base: &str) -> bool {
        let request = Request::get("/_raincheck/events")
            .header("host", host)
            .header("origin", origin)
            .body(())
            .unwrap();
        check(&request, base, None).is_ok()
    }

    #[test]
    fn own_pages_may_and_others_may_not() {
        assert!(allowed("http://a.example:8080", "a.example:8080", "/jobs"));
        assert!(allowed("https://A.example", "a.example:443", "/jobs"));
        assert!(allowed("https://a.example", "a.example", "/jobs"));
        let public = "https://api.example/stage/jobs";
        assert!(allowed("https://api.example", "10.0.0.1:8080", public));
        for (origin, host, base) in [
            ("https://evil.example", "a.example", "/jobs"),
            ("https://a.example.evil.example", "a.example", "/jobs"),
            ("http://a.example:81", "a.example", "/jobs"),
            ("null", "a.example", "/jobs"),
            ("file://", "", "/jobs"),
            ("", "", "/jobs"),
            ("http://api.example", "10.0.0.1:8080", public),
        ] {
            assert!(!allowed(origin, host, base), "{origin} {host} {base}");
        }
    }

    #[test]
    fn a_program_sends_no_origin_and_a_forger_two() {
        let program = Request::get("/").header("host", "a").body(()).unwrap();
        assert!(check(&program, "/jobs", None).is_ok());
        let two = Request::get("/")
            .header("host", "a")
            .header("origin", "http://a")
            .header("origin", "http://b");
        assert!(check(&two.body(()).unwrap(), "/jobs", None).is_err());
    }
}
