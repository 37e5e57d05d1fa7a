//! Every URL of the control plane in one file.

use raincheck_core::id::JobId;

/// A path about one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JobPath {
    pub(crate) id: JobId,
    pub(crate) resource: Resource,
}

/// What of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `{jobs}/{id}`
    Job,
    /// `{jobs}/{id}/status`
    Status,
    /// `{jobs}/{id}/result`
    Result,
    /// `{jobs}/{id}/cancel`
    Cancel,
    /// `{jobs}/{id}/events`
    Events,
    /// `{jobs}/{id}/progress/{attempt}-{token}`
    Progress(u32, u64),
    /// `{jobs}/{id}/retry`
    Retry,
}

impl JobPath {
    /// The job path that `path` is, below `prefix`. A path with a well-formed job id and an
    /// unknown end is none: it goes to the routes.
    pub(crate) fn parse(prefix: &str, path: &str) -> Option<Self> {
        let rest = path.strip_prefix(prefix)?.strip_prefix('/')?;
        let (id, end) = rest
            .split_once('/')
            .map_or((rest, None), |(id, end)| (id, Some(end)));
        let resource = match end {
            None => Resource::Job,
            Some("status") => Resource::Status,
            Some("result") => Resource::Result,
            Some("events") => Resource::Events,
            Some("cancel") => Resource::Cancel,
            Some("retry") => Resource::Retry,
            Some(end) => progress(end)?,
        };
        Some(Self {
            id: id.parse().ok()?,
            resource,
        })
    }
}

/// `progress/{attempt}-{token}`, the token as sixteen hexadecimal digits.
fn progress(end: &str) -> Option<Resource> {
    let (attempt, token) = end.strip_prefix("progress/")?.split_once('-')?;
    let digits = token.len() == 16 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    let token = u64::from_str_radix(token, 16).ok().filter(|_| digits)?;
    Some(Resource::Progress(attempt.parse().ok()?, token))
}

/// A path of the admin listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdminPath<'a> {
    /// `/`
    Index,
    /// `/jobs`
    Jobs,
    /// `/jobs/{id}` and below
    Job(JobPath),
    /// `/health/live`
    Live,
    /// `/health/ready`
    Ready,
    /// `/metrics`
    Metrics,
    /// `/reload`
    Reload,
    /// `/upstreams`
    Upstreams,
    /// `/problems/{page}`
    Problem(&'a str),
}

impl<'a> AdminPath<'a> {
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        match path {
            "/" => Some(Self::Index),
            "/jobs" => Some(Self::Jobs),
            "/health/live" => Some(Self::Live),
            "/health" | "/health/ready" => Some(Self::Ready),
            "/metrics" => Some(Self::Metrics),
            "/reload" => Some(Self::Reload),
            "/upstreams" => Some(Self::Upstreams),
            _ => match path
                .strip_prefix("/problems/")
                .or_else(|| path.strip_prefix("/_raincheck/problems/"))
            {
                Some(page) => Some(Self::Problem(page)),
                None => JobPath::parse("/jobs", path).map(Self::Job),
            },
        }
    }
}

/// Whether a path of the public listener is ours whatever the routes say.
pub(crate) fn is_reserved(path: &str) -> bool {
    path.starts_with("/_raincheck/")
}
