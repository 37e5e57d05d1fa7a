//! The URLs that commands take: scheme, host and port, path and query.

use std::fmt;

use http::Uri;
use raincheck_core::route::{Scheme, Upstream};

use crate::exit::{Code, Failure};

/// An `http://` or `https://` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    server: Upstream,
    /// Path and query.
    target: String,
}

impl Url {
    /// The URL in a text.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let bad = |why: &str| {
            let message =
                format!("'{text}' {why}: expected a URL such as http://127.0.0.1:8080/path");
            Failure::new(Code::Usage, message)
        };
        let uri: Uri = text
            .parse()
            .map_err(|error| bad(&format!("is no URL ({error})")))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(bad("begins with neither http:// nor https://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("has a user name; say it with -H 'Authorization: ...'"));
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = authority.port_u16().unwrap_or(scheme.port());
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let target = if target.starts_with('?') {
            format!("/{target}")
        } else {
            target.to_owned()
        };
        Ok(Self {
            server: Upstream::new(scheme, host, port),
            target,
        })
    }

    /// The URL that a reference such as a `Location` means, seen from this one.
    pub fn join(&self, reference: &str) -> Result<Self, Failure> {
        if reference.contains("://") {
            return Self::parse(reference);
        }
        if reference.starts_with("//") {
            return Self::parse(&format!("{}:{reference}", self.server.scheme.as_str()));
        }
        let slash = if reference.starts_with('/') { "" } else { "/" };
        Ok(Self {
            server: self.server.clone(),
            target: format!("{slash}{reference}"),
        })
    }

    /// A URL below the path of this one. The query is left out.
    pub fn below(&self, rest: &str) -> Self {
        let path = self.path().trim_end_matches('/');
        Self {
            server: self.server.clone(),
            target: format!("{path}/{rest}"),
        }
    }

    /// The URL without the end of its path, if its path ends so. The query is left out.
    pub fn without(&self, end: &str) -> Self {
        let path = self.path().trim_end_matches('/');
        let path = path.strip_suffix(end).unwrap_or(path);
        Self {
            server: self.server.clone(),
            target: path.to_owned(),
        }
    }

    /// The path.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Who is to be called.
    pub fn server(&self) -> &Upstream {
        &self.server
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, target } = self;
        write!(
            f,
            "{}://{}{target}",
            server.scheme.as_str(),
            server.authority()
        )
    }
}

#[cfg(test)]
mod tests {
    //! What is a URL, and what references mean.

    use super::Url;

    fn url(text: &str) -> String {
        Url::parse(text).map_or_else(|error| error.message, |url| url.to_string())
    }

    #[test]
    fn urls() {
        assert_eq!(url("http://localhost:80"), "http://localhost/");
        assert_eq!(
            url("https://[::1]:8443/a?b=c#d"),
            "https://[::1]:8443/a?b=c"
        );
        assert_eq!(url("http://h?q"), "http://h/?q");
        for text in [
            "localhost:8080",
            "ftp://a/",
            "/x",
            "http://",
            "http://a b/",
            "http://u:p@h/",
        ] {
            assert!(
                url(text).contains("expected a URL such as"),
                "{text}: {}",
                url(text)
            );
        }
    }

    #[test]
    fn references() {
        let base = Url::parse("https://h/gw/x?q").unwrap();
        let join = |text| base.join(text).unwrap().to_string();
        assert_eq!(join("/jobs/1"), "https://h/jobs/1");
        assert_eq!(join("http://o:1/jobs"), "http://o:1/jobs");
        assert_eq!(join("//o/jobs"), "https://o/jobs");
        assert_eq!(base.below("jobs/1").to_string(), "https://h/gw/x/jobs/1");
        assert_eq!(base.without("/x").to_string(), "https://h/gw");
    }
}
