//! The engine's view of the cluster under load. The HTTP client implements it; the engine itself opens no socket.

use crate::base::{Answer, KeyId, Nanos};
use crate::core::answers::Head;
use crate::core::stats::FailureExample;
use crate::system::Stop;
use std::time::Duration;

/// The nodes that requests go to, in the plan's order. Token k goes to node k modulo their number.
pub trait Targets: Sync {
    type Caller: Caller;

    /// The nodes' base URLs.
    fn names(&self) -> &[String];

    /// Waits until at least one node's name has an address. Returns false if none has one within `timeout`, or if a
    /// stop is requested first.
    fn wait_for_address(&self, timeout: Duration, stop: &Stop) -> bool;

    /// Sends the scheduled requests.
    fn traffic(&self) -> &Self::Caller;

    /// Sends the audit's own requests, with keys of their own. `None` if the plan has no probe.
    fn probe(&self) -> Option<&Self::Caller>;

    /// Returns a few failed requests of the traffic, of each kind.
    fn failure_examples(&self) -> Vec<FailureExample>;

    /// Returns how long each name lookup took that has ended since the last call.
    fn take_lookups(&self) -> impl Iterator<Item = Nanos>;
}

/// Sends requests, from many threads at once.
pub trait Caller: Sync {
    /// A thread's memory between calls, so that a call allocates none.
    type Scratch: Default;

    /// Reads what request number `sequence` needs, so that a [`call`](Self::call) with the same scratch can begin at once. A
    /// call without it takes longer, and does the same.
    fn prepare(&self, _sequence: u64, _scratch: &mut Self::Scratch) {}

    /// Sends request number `sequence`, for `key`, to a target by its place among [`Targets::names`], and waits until it
    /// is answered, fails or times out. The head is `None` unless the whole answer was received.
    fn call(
        &self,
        target: usize,
        sequence: u64,
        key: KeyId,
        scratch: &mut Self::Scratch,
    ) -> (Answer, Option<Head>);

    /// Like [`call`](Self::call), but over a new connection that no other request uses and that is closed afterwards.
    fn call_over_fresh_connection(
        &self,
        target: usize,
        sequence: u64,
        key: KeyId,
        scratch: &mut Self::Scratch,
    ) -> (Answer, Option<Head>);

    /// Interrupts every call in progress, and refuses all later ones: each of them fails at once.
    fn interrupt(&self);
}
