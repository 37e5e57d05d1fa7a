//! We call them over HTTP/1.1, cleartext or TLS.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod options;
pub(crate) mod pool;
