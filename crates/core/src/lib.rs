//! What a route promises, what a job is, and what may happen to it.
//!
//! This crate is pure: no I/O, no clock, no chance, no waiting, no logging. Time and randomness
//! come in as arguments, decisions go out as values. Read in this order:
//!
//! * [`route`]: a promise for a method and path;
//! * [`head`], [`hop`]: request and response heads as values, and which fields stay on one hop;
//! * [`job`]: the durable request, and [`job::apply`], the only way it changes;
//! * [`key`]: what makes two requests the same;
//! * [`outcome`]: how an exchange ended, and whether the backend may have seen it;
//! * [`callback`], [`egress`]: who is told of a job's end, and which URLs may be called;
//! * [`policy`]: one question per file, each answered by a pure function;
//! * [`rewrite`]: what a route changes of requests and answers;
//! * [`upgrade`]: what a connection may go on with after a `101`;
//! * [`problem`]: every answer we author ourselves;
//! * [`limits`]: every bound, named.

pub mod accept;
pub mod ambient;
pub mod callback;
pub mod egress;
pub mod head;
pub mod hop;
pub mod id;
pub mod job;
pub mod key;
pub mod limits;
pub mod navigation;
pub mod outcome;
pub mod policy;
pub mod prefer;
pub mod problem;
pub mod rate;
pub mod rewrite;
pub mod route;
pub mod time;
pub mod upgrade;
