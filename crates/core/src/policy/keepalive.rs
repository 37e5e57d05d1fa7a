//! Is a client that outlives its hold kept by bytes, and where does it go on when it comes again?

use http::{HeaderMap, HeaderName, Method};

use crate::accept::takes;
use crate::id::JobId;
use crate::prefer::Prefer;
use crate::route::{Filler, Keepalive, Mode, Route};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How a client is kept that gets no response within its hold; none: it gets what `on_hold` says.
/// Kept is who takes the media type, unless it says that it knows tickets, asks for a head only, or
/// is a browser that is shown a page.
pub fn keepalive(
    route: &Route,
    method: &Method,
    headers: &HeaderMap,
    prefer: Prefer,
) -> Option<Keepalive> {
    let keepalive = route.keepalive.filter(|_| route.mode != Mode::Sync)?;
    if prefer.respond_async || prefer.page || *method == Method::HEAD {
        return None;
    }
    takes(headers, keepalive.filler.media_type()).then_some(keepalive)
}

/// The job that a reader of events was following, and the last position of it that it has seen, by
/// the `Last-Event-ID` that we gave it. A backend's own ids are none of ours.
pub fn comes_again<'a>(route: &Route, headers: &'a HeaderMap) -> Option<(JobId, &'a str)> {
    let filler = route.keepalive?.filler;
    if filler != Filler::Events || route.mode == Mode::Sync {
        return None;
    }
    let id = headers.get(LAST_EVENT_ID)?.to_str().ok()?;
    let (job, position) = id.split_once('.')?;
    Some((job.parse().ok()?, position))
}

#[cfg(test)]
mod tests {
    //! Who is kept, and who is known again.

    use std::time::Duration;

    use http::{HeaderMap, HeaderName, Method};

    use super::{comes_again, keepalive};
    use crate::prefer::Prefer;
    use crate::route::{Filler, Keepalive, Mode, Pattern, Route, Scheme, Upstream};

    fn route(filler: Filler) -> Route {
        let upstream = Upstream::new(Scheme::Http, "b", 80);
        let mut route = Route::new("r".parse().unwrap(), Pattern::everything(), upstream);
        route.keepalive = Some(Keepalive {
            filler,
            interval: Duration::from_secs(15),
        });
        route
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        [(HeaderName::from_static(name), value.parse().unwrap())]
            .into_iter()
            .collect()
    }

    #[test]
    fn kept_is_who_takes_the_type_and_knows_no_tickets() {
        let route = route(Filler::Whitespace);
        let kept = |method: Method, accept: &str, prefer| {
            keepalive(&route, &method, &headers("accept", accept), prefer).is_some()
        };
        let prefer = Prefer::default();
        assert!(kept(Method::POST, "*/*", prefer) && kept(Method::GET, "application/*", prefer));
        assert!(!kept(Method::POST, "text/event-stream", prefer));
        assert!(!kept(Method::HEAD, "*/*", prefer));
        let (respond_async, page) = (true, true);
        assert!(!kept(
            Method::POST,
            "*/*",
            Prefer {
                respond_async,
                ..prefer
            }
        ));
        assert!(!kept(Method::GET, "*/*", Prefer { page, ..prefer }));
        let sync = Route {
            mode: Mode::Sync,
            ..route.clone()
        };
        assert_eq!(
            keepalive(&sync, &Method::GET, &HeaderMap::new(), prefer),
            None
        );
    }

    #[test]
    fn only_our_ids_name_a_job() {
        let id = "01997f6c-0000-7000-8000-000000000001";
        let found = |filler, text: &str| {
            let headers = headers("last-event-id", text);
            comes_again(&route(filler), &headers)
                .map(|(id, seen)| (id.to_string(), seen.to_owned()))
        };
        let ours = format!("{id}.3.1");
        assert_eq!(
            found(Filler::Events, &ours),
            Some((id.to_owned(), "3.1".to_owned()))
        );
        assert_eq!(found(Filler::Whitespace, &ours), None);
        for other in ["17", "3.1", id, "x.3.1", ""] {
            assert_eq!(found(Filler::Events, other), None, "{other}");
        }
    }
}
