//! Command line, environment and file -> a checked plan.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use raincheck_config::{Overrides, Plan};
use raincheck_core::limits::CONFIG_BYTES;
use raincheck_store_local::OpenError;

use super::{ConfigArgs, OverrideArgs, StoreArgs};
use crate::exit::{Code, Failure};
use crate::output::Output;

impl ConfigArgs {
    /// The plan, or everything that is wrong with it. Warnings are for [`warn`].
    pub fn load(&self) -> anyhow::Result<Plan> {
        load(self.config.as_deref(), &self.overrides.overrides())
    }
}

impl StoreArgs {
    /// The data directory: the one that was named, or the one of the config.
    pub fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.store_path {
            return Ok(path.clone());
        }
        // Where the data is does not depend on the backend, so that need not be said here.
        let upstream = Some("http://127.0.0.1:9000".to_owned());
        let overrides = Overrides {
            upstream,
            ..Overrides::default()
        };
        Ok(load(self.config.as_deref(), &overrides)?.store.path)
    }
}

impl OverrideArgs {
    fn overrides(&self) -> Overrides {
        let Self {
            upstream,
            mode,
            hold,
            timeout,
            listen,
            behind,
            ..
        } = self.clone();
        let Self {
            admin_listen,
            store_path,
            log_level,
            log_format,
            ..
        } = self.clone();
        Overrides {
            upstream,
            mode,
            hold,
            timeout,
            listen,
            behind,
            admin_listen,
            store_path,
            log_level,
            log_format,
        }
    }
}

/// The error of a command that needs a data directory that is there.
pub fn of_existing(error: OpenError) -> anyhow::Error {
    match error {
        OpenError::NotAStore { path, why } => {
            let path = path.display();
            let message = format!(
                "{path} is not a data directory of raincheck ({why}); name one with --store-path, \
                 or its config with -c"
            );
            Failure::new(Code::StoreNotCreated, message).into()
        }
        error => error.into(),
    }
}

/// Shows what is odd about a plan.
pub fn warn(plan: &Plan, out: Output) {
    for warning in &plan.warnings {
        out.say(format_args!("{}\n", warning.render(out.colours())));
    }
}

fn load(file: Option<&OsStr>, overrides: &Overrides) -> anyhow::Result<Plan> {
    // An empty variable counts as not set, as compose files leave it.
    let file = file.filter(|file| !file.is_empty());
    let text = file
        .map(|file| read(file).map(|text| (file.to_string_lossy(), text)))
        .transpose()?;
    let text = text.as_ref().map(|(path, text)| (&**path, text.as_str()));
    let environment = std::env::vars_os().map(|(name, value)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    });
    Ok(raincheck_config::load(text, environment, overrides)?)
}

fn read(file: &OsStr) -> anyhow::Result<String> {
    let shown = file.to_string_lossy();
    // Something that never ends must not fill the memory.
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|file| file.take(CONFIG_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            let message = format!("cannot read the config file {shown}: {error}");
            Failure::new(Code::Usage, message)
        })?;
    if bytes.len() as u64 > CONFIG_BYTES {
        let message = format!(
            "the config file {shown} has more than {CONFIG_BYTES} bytes; is it the right file?"
        );
        return Err(Failure::new(Code::Usage, message).into());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let message = format!("the config file {shown} is not UTF-8 text (byte {at})");
        Failure::new(Code::Usage, message)
    })?;
    Ok(text)
}
