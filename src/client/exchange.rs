//! What a call, and the connector and transport that ureq runs for it on the same thread, need to
//! know of each other. ureq hands its parts the request's URI and nothing of the caller's, so it
//! travels beside ureq, in the thread.

use crate::base::{ConnectTimes, Moment};
use std::cell::Cell;

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Getting a TCP connection.
    Connecting,
    /// Agreeing on TLS over it.
    Handshake,
    /// Sending the request and receiving the response.
    Http,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange {
    /// The target's place in the plan.
    pub target: usize,
    pub begun: Moment,
    /// When it has to be over.
    pub deadline: Moment,
    pub stage: Stage,
    /// If it needed a new connection.
    pub connecting: Option<ConnectTimes>,
    /// When the request's first byte was handed to the system.
    pub sent: Option<Moment>,
    /// When its connection was given back, the answer read to its end.
    pub returned: Option<Moment>,
}

const NONE: Exchange = Exchange {
    target: 0,
    begun: Moment::MAX,
    deadline: Moment::MAX,
    stage: Stage::Connecting,
    connecting: None,
    sent: None,
    returned: None,
};

thread_local! {
    static CURRENT: Cell<Exchange> = const { Cell::new(NONE) };
}

/// The calling thread starts a request to `target`.
pub(super) fn begin(target: usize, begun: Moment, deadline: Moment) {
    CURRENT.set(Exchange {
        target,
        begun,
        deadline,
        ..NONE
    });
}

/// What has become known of the calling thread's request.
pub(super) fn seen() -> Exchange {
    CURRENT.get()
}

pub(super) fn begun() -> Moment {
    CURRENT.get().begun
}

pub(super) fn deadline() -> Moment {
    CURRENT.get().deadline
}

pub(super) fn target() -> usize {
    CURRENT.get().target
}

pub(super) fn reached(stage: Stage) {
    update(|exchange| exchange.stage = stage);
}

pub(super) fn connecting_took(spans: ConnectTimes) {
    update(|exchange| exchange.connecting = Some(spans));
}

pub(super) fn returned(now: Moment) {
    update(|exchange| exchange.returned = Some(now));
}

/// Bytes are about to leave. The request's first ones count: not those of a handshake, not later
/// ones.
pub(super) fn leaving(now: Moment) {
    update(|exchange| {
        if exchange.stage == Stage::Http && exchange.sent.is_none() {
            exchange.sent = Some(now);
        }
    });
}

fn update(change: impl FnOnce(&mut Exchange)) {
    let mut exchange = CURRENT.get();
    change(&mut exchange);
    CURRENT.set(exchange);
}
