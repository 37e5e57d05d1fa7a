//! Errors as people and programs read them, on stderr.

use raincheck_config::Errors;
use serde_json::json;

use crate::exit::Code;
use crate::output::{Closed, Output};

/// Tells an error: for people with its causes after it, for programs as one line of JSON. `ends` is
/// how the process will end for it; none: it goes on.
pub fn report(error: &anyhow::Error, ends: Option<Code>, out: Output) {
    if error.is::<Closed>() {
        return;
    }
    let errors = error.downcast_ref::<Errors>();
    if out.is_json() {
        let mut document = json!({ "error": format!("{error:#}") });
        if let Some(code) = ends {
            document["exit_code"] = code.number().into();
            document["exit_word"] = code.word().into();
        }
        document["findings"] = json!(errors.map(Errors::findings));
        out.say(document);
    } else if let Some(errors) = errors {
        out.say(errors.render(out.colours()));
    } else {
        out.say(format_args!("error: {error:#}"));
    }
}
