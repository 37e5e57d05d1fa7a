//! One request to one backend: sent once, recorded, followable, replayable.
//!
//! * [`outbound`]: the request as it is sent in one attempt;
//! * [`open`]: sends it and returns when the response head is there ([`Opened`]);
//! * [`record`]: reads an opened response to its end into a [`Recording`];
//! * [`follow`]: reads a recording from any offset, also while it grows;
//! * [`followed`]: a recording that grows, as a response;
//! * [`source`], [`events`]: which recording that is, and where in it a client goes on;
//! * [`flight`]: the whole of it as a future that can change hands;
//! * [`packed`]: the fields of a request put aside while it is on its way;
//! * [`replay`]: a stored response as a response again;
//! * [`payload`]: every response body a client can get;
//! * [`upgrade`]: a client's connection that goes on in another protocol;
//! * [`tunnel`]: that connection and an upstream's, tied together.

pub mod answer;
pub mod compact;
pub mod end;
pub mod events;
pub mod flight;
pub mod follow;
pub mod followed;
mod incoming;
pub mod open;
pub mod outbound;
pub mod packed;
pub mod payload;
pub mod record;
pub mod replay;
pub mod source;
pub mod stored;
pub mod tunnel;
pub mod upgrade;

pub use end::End;
pub use flight::Flight;
pub use follow::Follower;
pub use incoming::ResponseBody;
pub use open::Opened;
pub use outbound::{Outbound, RequestBody};
pub use payload::Payload;
pub use record::{Recorded, Recorder, Recording};
pub use source::Source;
