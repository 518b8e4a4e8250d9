//! The record of the request in progress on each thread.
//!
//! ureq passes its connector and its transport the URI of a request and nothing else from the caller. Here they need
//! more: the target's index, the deadline, and a place to note times. A worker waits for its request, so ureq calls
//! both on the worker's own thread, and a thread-local record connects them:
//!
//! 1. [`Client`](super::Client) calls [`begin`] with the target and the deadline.
//! 2. The connector reads the target, the start and the kind of connection. If it makes a new one, it notes
//!    [each address](note_address) that it tries, the [`Stage`]s and [the times](note_connect_times). With a
//!    connection, it [enters the last stage](enter_http).
//! 3. The transport reads the deadline and [notes](note_sent) when the request left.
//! 4. The normalizer [notes](note_surplus) the headers of the answer that ureq has no room for.
//! 5. The connector [notes](note_returned) when ureq gives the connection back, the answer having been read to its end,
//!    or [that nothing of an answer came](note_unanswered).
//! 6. What may explain a failure is [noted](note_received) by the part that received it. The transport notes the start of
//!    a handshake. The [TLS library](super::witnesses) notes a refused certificate, and a request for one. The normalizer
//!    notes a broken body. The connector notes input that nobody read.
//! 7. The client makes an [`Answer`](crate::base::Answer) of the [`current`] record.

use super::issuer::Issuer;
use crate::base::{Address, ConnectTimes, Moment};
use crate::core::answers::EXCERPT;
use std::cell::{Cell, RefCell};
use ureq::http::{HeaderName, HeaderValue};

/// The progress of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Waiting for a TCP connection.
    Connecting,
    /// Waiting for the TLS handshake.
    Handshake,
    /// Sending the request and receiving the response.
    Http,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange {
    /// The target's index in the plan.
    pub target: usize,
    /// Whether the request gets a connection of its own, which is closed afterwards.
    pub fresh: bool,
    pub started: Moment,
    pub deadline: Moment,
    pub stage: Stage,
    /// The address of the connection, or the last one to which a connection was tried.
    pub address: Option<Address>,
    /// Present if the request needed a new connection.
    pub connecting: Option<ConnectTimes>,
    /// The moment at which the request's first byte was handed to the operating system.
    pub sent: Option<Moment>,
    /// The moment at which ureq gave the connection back.
    pub returned: Option<Moment>,
    /// The connection was closed before anything of an answer came.
    pub unanswered: bool,
    /// Present if the server asked for a client certificate: whether it was shown one.
    pub certificate_shown: Option<bool>,
    /// There are headers that ureq had no room for.
    has_surplus: bool,
    /// Something was received that may explain a failure.
    has_received: bool,
}

impl Exchange {
    /// Returns whether anything of an answer came, once the request is over.
    pub fn has_answer(&self) -> bool {
        self.stage == Stage::Http && !self.unanswered
    }
}

const NONE: Exchange = Exchange {
    target: 0,
    fresh: false,
    started: Moment::MAX,
    deadline: Moment::MAX,
    stage: Stage::Connecting,
    address: None,
    connecting: None,
    sent: None,
    returned: None,
    unanswered: false,
    certificate_shown: None,
    has_surplus: false,
    has_received: false,
};

thread_local! {
    static CURRENT: Cell<Exchange> = const { Cell::new(NONE) };
    static SURPLUS: RefCell<Vec<(HeaderName, HeaderValue)>> = const { RefCell::new(Vec::new()) };
    static ISSUER: Cell<Option<Issuer>> = const { Cell::new(None) };
    static RECEIVED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Starts the record of a request on the calling thread.
pub(super) fn begin(target: usize, fresh: bool, started: Moment, deadline: Moment) {
    CURRENT.set(Exchange {
        target,
        fresh,
        started,
        deadline,
        ..NONE
    });
}

/// The record of the calling thread's request so far.
pub(super) fn current() -> Exchange {
    CURRENT.get()
}

pub(super) fn enter(stage: Stage) {
    if stage == Stage::Handshake {
        ISSUER.take();
    }
    update(|exchange| {
        exchange.stage = stage;
        exchange.has_received = false;
    });
}

/// Enters [`Stage::Http`] with a connection to this address.
pub(super) fn enter_http(address: Address) {
    update(|exchange| {
        exchange.stage = Stage::Http;
        exchange.has_received = false;
        exchange.address = Some(address);
    });
}

/// Notes that a connection to this address is tried.
pub(super) fn note_address(address: Address) {
    update(|exchange| exchange.address = Some(address));
}

pub(super) fn note_connect_times(times: ConnectTimes) {
    update(|exchange| exchange.connecting = Some(times));
}

/// Notes that bytes are about to leave. Only the first bytes of the request itself count, not those of a handshake.
pub(super) fn note_sent(now: Moment) {
    update(|exchange| {
        if exchange.stage == Stage::Http && exchange.sent.is_none() {
            exchange.sent = Some(now);
        }
    });
}

pub(super) fn note_returned(now: Moment) {
    update(|exchange| exchange.returned = Some(now));
}

pub(super) fn note_unanswered() {
    update(|exchange| exchange.unanswered = true);
}

/// Notes the headers of the answer that ureq has no room for.
pub(super) fn note_surplus(headers: Vec<(HeaderName, HeaderValue)>) {
    if !headers.is_empty() {
        SURPLUS.set(headers);
        update(|exchange| exchange.has_surplus = true);
    }
}

/// Takes the headers of the answer that ureq had no room for.
pub(super) fn take_surplus() -> Vec<(HeaderName, HeaderValue)> {
    if !current().has_surplus {
        return Vec::new();
    }
    SURPLUS.take()
}

/// Notes the start of what may explain a failure in this stage. Only the first such bytes count.
pub(super) fn note_received(bytes: &[u8]) {
    if bytes.is_empty() || current().has_received {
        return;
    }
    RECEIVED.with_borrow_mut(|received| {
        received.clear();
        received.extend_from_slice(&bytes[..bytes.len().min(EXCERPT)]);
    });
    update(|exchange| exchange.has_received = true);
}

/// Takes what was received and may explain a failure.
pub(super) fn take_received() -> Vec<u8> {
    if !current().has_received {
        return Vec::new();
    }
    RECEIVED.take()
}

/// Notes that the server asked for a client certificate, and whether it is shown one.
pub(super) fn note_certificate_requested(is_shown: bool) {
    update(|exchange| exchange.certificate_shown = Some(is_shown));
}

/// Notes the issuer of a certificate that is refused.
pub(super) fn note_issuer(issuer: Issuer) {
    ISSUER.set(Some(issuer));
}

/// Takes the issuer of the certificate that was refused.
pub(super) fn take_issuer() -> Option<Issuer> {
    ISSUER.take()
}

fn update(change: impl FnOnce(&mut Exchange)) {
    let mut exchange = CURRENT.get();
    change(&mut exchange);
    CURRENT.set(exchange);
}
