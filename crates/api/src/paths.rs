//! Every URL of the control plane in one file: what is not in one of its lists is not served, and
//! what is in them is in the OpenAPI document.

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
    /// `{jobs}/{id}/events`
    Events,
    /// `{jobs}/{id}/cancel`
    Cancel,
    /// `{jobs}/{id}/retry`
    Retry,
    /// `{jobs}/{id}/deliveries`
    Deliveries,
    /// `{jobs}/{id}/deliveries/{number}/redeliver`
    Redeliver(u32),
    /// `{jobs}/{id}/progress/{attempt}-{token}`
    Progress(u32, u64),
}

/// The number of no attempt: they are counted from one.
pub(crate) const NO_ATTEMPT: u32 = 0;

impl Resource {
    /// One of each kind that is served.
    pub(crate) const ALL: [Self; 9] = [
        Self::Job,
        Self::Status,
        Self::Result,
        Self::Events,
        Self::Cancel,
        Self::Retry,
        Self::Deliveries,
        Self::Redeliver(1),
        Self::Progress(1, 0),
    ];

    /// Whether it is for backends: the admin listener does not serve it.
    pub(crate) fn is_for_backends(self) -> bool {
        matches!(self, Self::Progress(..))
    }

    /// The end of its path, below the job's own.
    pub(crate) fn end(self) -> &'static str {
        match self {
            Self::Job => "",
            Self::Status => "/status",
            Self::Result => "/result",
            Self::Events => "/events",
            Self::Cancel => "/cancel",
            Self::Retry => "/retry",
            Self::Deliveries => "/deliveries",
            Self::Redeliver(_) => "/deliveries/{delivery}/redeliver",
            Self::Progress(..) => "/progress/{report}",
        }
    }

    /// The methods it takes, as `Allow` names them.
    pub(crate) fn methods(self) -> &'static str {
        match self {
            Self::Job => "GET, HEAD, DELETE",
            Self::Status | Self::Result | Self::Events => "GET, HEAD",
            Self::Deliveries => "GET, HEAD",
            Self::Cancel | Self::Retry | Self::Redeliver(_) => "POST",
            Self::Progress(..) => "PUT, POST",
        }
    }

    /// What the end of a path names, if it names a resource of this kind.
    fn read(self, end: &str) -> Option<Self> {
        match self {
            Self::Progress(..) => progress(end),
            Self::Redeliver(_) => redeliver(end),
            named => (named.end() == end).then_some(named),
        }
    }
}

impl JobPath {
    /// The job path that `path` is, below `prefix`. A path with a well-formed job id and an
    /// unknown end is none; it is [`is_below_a_job`] nevertheless.
    pub(crate) fn parse(prefix: &str, path: &str) -> Option<Self> {
        let (id, end) = split(prefix, path)?;
        let mut kinds = Resource::ALL.into_iter();
        let resource = kinds.find_map(|kind| kind.read(end))?;
        Some(Self { id, resource })
    }
}

/// Whether the segment after `prefix` is a well-formed job id, whatever follows it. Such a path is
/// never a backend's: who mistypes a job's URL hands its id to nobody.
pub(crate) fn is_below_a_job(prefix: &str, path: &str) -> bool {
    split(prefix, path).is_some()
}

/// The job id after `prefix`, and what follows it.
fn split<'a>(prefix: &str, path: &'a str) -> Option<(JobId, &'a str)> {
    let rest = path.strip_prefix(prefix)?.strip_prefix('/')?;
    let (id, end) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Some((id.parse().ok()?, end))
}

/// `/progress/{attempt}-{token}`, the token as sixteen hexadecimal digits. What is none is read as
/// [`NO_ATTEMPT`], so that whoever has copied it wrongly is told so.
fn progress(end: &str) -> Option<Resource> {
    let report = end.strip_prefix("/progress/")?;
    if report.is_empty() || report.contains('/') {
        return None;
    }
    let (attempt, token) = token(report).unwrap_or((NO_ATTEMPT, 0));
    Some(Resource::Progress(attempt, token))
}

fn token(report: &str) -> Option<(u32, u64)> {
    let (attempt, token) = report.split_once('-')?;
    let digits = token.len() == 16 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    let token = u64::from_str_radix(token, 16).ok().filter(|_| digits)?;
    Some((attempt.parse().ok()?, token))
}

/// `/deliveries/{number}/redeliver`.
fn redeliver(end: &str) -> Option<Resource> {
    let number = end
        .strip_prefix("/deliveries/")?
        .strip_suffix("/redeliver")?;
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| plain)?;
    Some(Resource::Redeliver(number))
}

/// What is served below `/_raincheck/` on the public listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reserved<'a> {
    /// `/_raincheck/openapi.json`
    OpenApi,
    /// `/_raincheck/client.js`
    Client,
    /// `/_raincheck/events`, a WebSocket
    Events,
    /// `/_raincheck/problems/{page}`
    Problem(&'a str),
}

impl<'a> Reserved<'a> {
    /// One of each kind that is served.
    pub(crate) const ALL: [Self; 4] = [
        Self::OpenApi,
        Self::Client,
        Self::Events,
        Self::Problem("{page}"),
    ];

    /// Its path.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::OpenApi => "/_raincheck/openapi.json",
            Self::Client => "/_raincheck/client.js",
            Self::Events => "/_raincheck/events",
            Self::Problem(_) => "/_raincheck/problems/{page}",
        }
    }

    pub(crate) fn methods(self) -> &'static str {
        match self {
            Self::OpenApi | Self::Client | Self::Problem(_) => "GET, HEAD",
            Self::Events => "GET",
        }
    }

    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let mut kinds = Self::ALL.into_iter();
        kinds.find_map(|kind| match kind {
            Self::Problem(_) => page(path).map(Self::Problem),
            named => (named.path() == path).then_some(named),
        })
    }
}

/// `/_raincheck/problems/{page}`
fn page(path: &str) -> Option<&str> {
    path.strip_prefix("/_raincheck/problems/")
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
    /// `/health/ready`, and `/health`
    Ready,
    /// `/metrics`
    Metrics,
    /// `/reload`
    Reload,
    /// `/upstreams`
    Upstreams,
    /// `/openapi.json`
    OpenApi,
    /// `/problems/{page}`, and as on the public listener
    Problem(&'a str),
}

impl<'a> AdminPath<'a> {
    /// One of each kind that is served, but for [`AdminPath::Job`], which stands for the resources.
    pub(crate) const ALL: [Self; 9] = [
        Self::Index,
        Self::Jobs,
        Self::Live,
        Self::Ready,
        Self::Metrics,
        Self::Reload,
        Self::Upstreams,
        Self::OpenApi,
        Self::Problem("{page}"),
    ];

    /// Its path; the first of these, where there are several.
    pub(crate) fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Index => &["/"],
            Self::Jobs => &["/jobs"],
            Self::Job(_) => &["/jobs/{id}"],
            Self::Live => &["/health/live"],
            Self::Ready => &["/health/ready", "/health"],
            Self::Metrics => &["/metrics"],
            Self::Reload => &["/reload"],
            Self::Upstreams => &["/upstreams"],
            Self::OpenApi => &["/openapi.json"],
            Self::Problem(_) => &["/problems/{page}", "/_raincheck/problems/{page}"],
        }
    }

    pub(crate) fn methods(self) -> &'static str {
        match self {
            Self::Reload => "POST",
            Self::Job(job) => job.resource.methods(),
            Self::Index
            | Self::Jobs
            | Self::Live
            | Self::Ready
            | Self::Metrics
            | Self::Upstreams
            | Self::OpenApi
            | Self::Problem(_) => "GET, HEAD",
        }
    }

    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let mut kinds = Self::ALL.into_iter();
        let listed = kinds.find_map(|kind| match kind {
            Self::Problem(_) => path
                .strip_prefix("/problems/")
                .or_else(|| page(path))
                .map(Self::Problem),
            named => named.paths().contains(&path).then_some(named),
        });
        listed.or_else(|| {
            let job = JobPath::parse("/jobs", path)?;
            (!job.resource.is_for_backends()).then_some(Self::Job(job))
        })
    }
}

/// Whether a path of the public listener is ours whatever the routes say.
pub(crate) fn is_reserved(path: &str) -> bool {
    path.starts_with("/_raincheck/")
}

#[cfg(test)]
mod tests {
    //! Each listed path is read as what it is, and nothing near it is.

    use super::{AdminPath, JobPath, NO_ATTEMPT, Reserved, Resource, is_below_a_job};

    const ID: &str = "01997f6c-1c00-7000-8000-000000000000";

    #[test]
    fn what_is_listed_is_served() {
        for resource in Resource::ALL {
            let end = resource.end().replace("{report}", "1-0000000000000000");
            let end = end.replace("{delivery}", "1");
            let path = format!("/jobs/{ID}{end}");
            let read = JobPath::parse("/jobs", &path).unwrap();
            assert_eq!(
                (read.resource, read.id.to_string().as_str()),
                (resource, ID)
            );
            let admin = matches!(AdminPath::parse(&path), Some(AdminPath::Job(_)));
            assert_eq!(admin, !resource.is_for_backends());
            assert_eq!(JobPath::parse("/jobs", &format!("{path}/")), None);
        }
        for reserved in Reserved::ALL {
            assert_eq!(Reserved::parse(reserved.path()), Some(reserved));
        }
        for admin in AdminPath::ALL {
            for path in admin.paths() {
                assert_eq!(AdminPath::parse(path), Some(admin));
            }
        }
    }

    #[test]
    fn whatever_follows_a_job_id_is_claimed() {
        let upper = ID.to_uppercase();
        for end in [
            "",
            "/",
            "/nothing",
            "/result/",
            "/result/x",
            "//result",
            "/Result",
        ] {
            for id in [ID, upper.as_str()] {
                let path = format!("/jobs/{id}{end}");
                assert!(is_below_a_job("/jobs", &path), "{path}");
                assert_eq!(JobPath::parse("/jobs", &path).is_some(), end.is_empty());
            }
        }
        let read = JobPath::parse("/jobs", &format!("/jobs/{upper}/result")).unwrap();
        assert_eq!(read.id.to_string(), ID);
        assert_eq!(read.resource, Resource::Result);
    }

    #[test]
    fn anything_else_is_not() {
        for path in [
            "/jobs".to_owned(),
            "/jobs/".to_owned(),
            format!("/jobs/{ID}x"),
            format!("/jobs/{ID}/nothing"),
            format!("/jobs/{ID}/progress/"),
            format!("/jobs/{ID}/progress/1-0/x"),
            format!("/jobs{ID}"),
        ] {
            assert_eq!(JobPath::parse("/jobs", &path), None, "{path}");
        }
        for end in ["x", "", "/"] {
            assert!(!is_below_a_job("/jobs", &format!("/jobs{end}")), "{end}");
        }
        assert!(!is_below_a_job("/jobs", &format!("/jobs/{ID}x")));
        assert!(!is_below_a_job("/jobs", &format!("/v1/jobs/{ID}/nothing")));
        for report in ["1-0", "{report}", "1", "x-0000000000000000"] {
            let path = format!("/jobs/{ID}/progress/{report}");
            let read = JobPath::parse("/jobs", &path).unwrap();
            assert_eq!(read.resource, Resource::Progress(NO_ATTEMPT, 0), "{path}");
        }
        assert_eq!(Reserved::parse("/_raincheck/"), None);
        assert_eq!(AdminPath::parse("/openapi.json/"), None);
    }
}
