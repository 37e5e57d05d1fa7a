//! Ways in which a world may be broken on purpose, to prove that a checker notices.

/// What is wrong with the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The store acknowledges a new job and forgets it.
    ForgetsCommit,
    /// The store keeps no key, so that repetitions are not known.
    ForgetsKeys,
    /// The store takes the changes of attempts that are over.
    TakesLateEnds,
    /// The store gives back another byte than it was given.
    FlipsByte,
    /// The network sends a request to the backend twice.
    SendsTwice,
    /// The store acknowledges deletions and keeps what it should delete.
    KeepsAll,
    /// The store acknowledges changes before they are durable.
    AcknowledgesEarly,
}
