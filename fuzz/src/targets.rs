//! One file for each target.

pub(crate) mod config_text;
pub(crate) mod framing;
pub(crate) mod headers;
pub(crate) mod job_history;
pub(crate) mod log;
pub(crate) mod route_table;
pub(crate) mod segment;
pub(crate) mod store_history;
pub(crate) mod stored_row;
