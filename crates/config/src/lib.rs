//! Text -> a checked [`Plan`], or all mistakes at once.
//!
//! A value comes from the file, is overridden by the environment and that by flags; each value
//! knows who said it, so that a mistake points at its place. Nothing here reads a file, a variable
//! or a clock: the caller brings them. Read in this order:
//!
//! * [`keys`]: every key, its kind, default and meaning: the one table the rest is checked against;
//! * `file`, `source`: a TOML text, variables and flags as one tree of values;
//! * `section`, `value`, [`units`]: reading a table key by key, collecting what is wrong;
//! * `server`, `route`, `check`: the keys of each section, and the rules across keys;
//! * [`plan`], [`behind`]: shapes as used; they cannot be wrong;
//! * [`error`]: what is reported and how it looks; [`mod@reference`]: the printed documentation.

pub mod behind;
mod check;
pub mod error;
mod file;
pub mod keys;
mod listener;
mod load;
pub mod plan;
pub mod reference;
mod route;
mod section;
mod server;
mod source;
mod tree;
pub mod units;
mod upstream;
mod value;
mod webhooks;

pub use error::{Code, Errors, Finding, Place, Severity};
pub use load::load;
pub use plan::Plan;
pub use source::Overrides;

/// The commented reference of every key, as text: a config that loads and says what holds anyway.
pub const DEFAULTS: &str = include_str!("defaults.toml");
