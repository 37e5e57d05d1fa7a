//! What a route changes of requests and answers, and what it answers by itself. Values and pure
//! functions: the gateway asks and carries out.
//!
//! A route without any of it has no [`Rewrite`] at all, so that its requests pay one branch.

pub mod accept;
pub mod access;
pub mod compress;
pub mod cors;
pub mod fields;
pub mod fixed;
pub mod prefix;
pub mod redirect;

pub use access::Access;
pub use compress::Coding;
pub use cors::Cors;
pub use fields::FieldRules;
pub use fixed::Fixed;
pub use prefix::Prefix;
pub use redirect::Redirect;

use http::header::HeaderValue;

/// What a route changes. The default changes nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rewrite {
    /// Which networks are served.
    pub access: Access,
    /// The path that the upstream sees.
    pub prefix: Prefix,
    /// The host that the upstream sees.
    pub host: HostRule,
    /// Fields of requests.
    pub request_fields: FieldRules,
    /// Fields of the upstream's answers.
    pub response_fields: FieldRules,
    /// What browsers on other origins may do.
    pub cors: Option<Cors>,
    /// Codings for answers, the preferred first; none: answers stay as they are.
    pub compress: Vec<Coding>,
    /// Where requests are sent instead, where they are.
    pub redirect: Option<Redirect>,
    /// The one answer to every request, without an upstream.
    pub respond: Option<Fixed>,
}

impl Rewrite {
    /// Whether every request is answered without an upstream.
    pub fn needs_no_upstream(&self) -> bool {
        self.respond.is_some() || self.redirect.is_some()
    }
}

/// Which host the upstream sees.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HostRule {
    /// The client's, so that a backend makes right links.
    #[default]
    Preserve,
    /// The upstream's own, as in its URL: what a virtual host elsewhere needs.
    Upstream,
    /// This one.
    Name(HeaderValue),
}
