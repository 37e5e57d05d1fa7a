//! What people write for a job: its id, its URL, or the URL of its result.

use raincheck_core::id::JobId;

use crate::client::Url;
use crate::exit::{Code, Failure};

/// A URL that was given, or its default. An empty variable counts as not given.
pub fn base(given: Option<&str>, default: &str) -> Result<Url, Failure> {
    Url::parse(given.filter(|url| !url.is_empty()).unwrap_or(default))
}

/// The URL of the job.
pub fn job_url(job: &str, base: &Url) -> Result<Url, Failure> {
    if !job.contains('/') {
        return Ok(base.below(&format!("jobs/{}", job_id(job)?)));
    }
    let url = base.join(job)?.without("/result").without("/status");
    job_id(url.path())?;
    Ok(url)
}

/// The id of the job.
pub fn job_id(job: &str) -> Result<JobId, Failure> {
    let path = job
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .trim_end_matches('/');
    let path = ["/result", "/status"]
        .iter()
        .find_map(|end| path.strip_suffix(end))
        .unwrap_or(path);
    let id = path.rsplit('/').next().unwrap_or_default();
    id.parse()
        .map_err(|error| Failure::new(Code::Usage, format!("'{job}' is {error}")))
}

#[cfg(test)]
mod tests {
    //! Ids and URLs of jobs.

    use super::*;

    const ID: &str = "01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10";

    #[test]
    fn an_id_and_its_urls_mean_the_same_job() {
        let base = Url::parse("http://127.0.0.1:8080").unwrap();
        let forms = [
            ID.to_owned(),
            format!("/jobs/{ID}"),
            format!("/jobs/{ID}/result?wait=3"),
            format!("http://127.0.0.1:8080/jobs/{ID}/"),
            format!("http://127.0.0.1:8080/jobs/{ID}/status"),
        ];
        for form in forms {
            let url = job_url(&form, &base).unwrap().to_string();
            assert_eq!(url, format!("http://127.0.0.1:8080/jobs/{ID}"), "{form}");
            assert_eq!(job_id(&form).unwrap().to_string(), ID);
        }
        let moved = job_url(&format!("https://h/gw/tickets/{ID}"), &base).unwrap();
        assert_eq!(moved.to_string(), format!("https://h/gw/tickets/{ID}"));
    }

    #[test]
    fn anything_else_is_refused_with_the_form_of_an_id() {
        let base = Url::parse("http://127.0.0.1:8080").unwrap();
        for text in ["", "17", "http://127.0.0.1:8080/jobs", "../../x"] {
            let error = job_url(text, &base).unwrap_err();
            assert_eq!(error.code, Code::Usage);
            assert!(
                error.message.contains("not a job id: expected a UUID"),
                "{error}"
            );
        }
    }
}
