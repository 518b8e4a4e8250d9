//! One HTTP request, from a token to its outcome, through one `ureq::Agent` that all workers share.
//!
//! ureq speaks HTTP; its name resolution and its connections are replaced by ones made for load:
//!
//! - The `resolver` looks names up in the background, so that no request waits for a lookup.
//! - The `connector` takes an idle connection from its target's `pool`, or makes a new one.
//! - The `transport` sends head and body in one write, and notes when. Over TLS, they are one record of the `tls` session.
//! - The `normalizer` rewrites answers that HTTP allows and ureq can't read.
//! - A `failure` is named, explained by what was received and by the `witnesses` of the TLS handshake, and perhaps kept as
//!   an example.
//! - The `exchange` is how these and the caller share what they know of the request in progress.
//!
//! A [`CompiledRequest`] makes the requests, and [`Answers`] decide what an answer means.

mod buffers;
mod cluster;
mod connecting;
mod connector;
mod exchange;
mod failure;
mod identity;
mod issuer;
mod knock;
mod normalizer;
mod open_sockets;
mod pool;
mod resolver;
#[cfg(test)]
mod tests;
mod tls;
mod transport;
mod trust;
mod witnesses;

pub use cluster::Cluster;
pub use connecting::{Connecting, ServerName};
pub use identity::{Identity, IdentityError};
pub use knock::{NotReady, Stopped};
pub use resolver::Resolver;
pub use trust::{Authorities, Trust};

use crate::base::{Answer, FailureCause, KeyId, Moment, Nanos, Outcome, Target};
use crate::core::answers::{Answers, ByHead, EXCERPT, Head, KeptBody, Meaning};
use crate::core::request::{CompiledRequest, RequestBuffers};
use crate::core::stats::{FailureExample, FailureExamples};
use crate::engine::Caller;
use connector::PoolingConnector;
use failure::{Failure, FailureMasks, Known, failure_kind};
use normalizer::MOST_HEADERS;
use open_sockets::OpenSockets;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// The connection of a longer body, in bytes, is closed before the body's end.
const MAX_BODY: usize = 1024 * 1024;

/// The longest head of an answer, in bytes: several times what common servers and proxies let through.
const MAX_HEAD: usize = 32 * 1024;

/// The size of buffers, in bytes. The whole answer to a usual check is shorter, so that one read takes it.
const BUFFER: usize = 4096;

/// Sends requests and reports their outcomes. All workers share one.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    open: Arc<OpenSockets>,
    requests: CompiledRequest,
    timeout: Nanos,
    answers: Answers,
    examples: FailureExamples,
    known: Known,
    /// By target: something of an answer has been received.
    answered: Box<[AtomicBool]>,
}

/// A worker's memory between calls, so that a call allocates none.
#[derive(Debug, Default)]
pub struct Scratch {
    request: RequestBuffers,
    /// Receives an answer's body part by part.
    buffer: Vec<u8>,
    kept: KeptBody,
}

impl Client {
    /// `timeout` is for one whole request, from the connection to the last byte of the answer's body.
    pub fn new(
        targets: &[Target],
        resolver: Arc<Resolver>,
        requests: CompiledRequest,
        timeout: Duration,
        connecting: &Connecting,
        answers: Answers,
    ) -> Client {
        // ureq writes each line in one piece.
        let output_buffer = BUFFER + requests.longest_line();
        // ureq gets no timeout, which it would compute anew at each step: the transport keeps the exchange's deadline.
        let config = Agent::config_builder()
            .accept("")
            .user_agent("")
            .allow_non_standard_methods(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Through a proxy from the environment, the run would measure the proxy.
            .proxy(None)
            .max_response_header_size(MAX_HEAD)
            .output_buffer_size(output_buffer)
            .build();
        let open = Arc::new(OpenSockets::default());
        let connector = PoolingConnector::new(
            targets,
            resolver,
            timeout,
            open.clone(),
            requests.spelling(),
            connecting,
        );
        Client {
            agent: Agent::with_parts(config, connector, resolver::NoLookup),
            open,
            requests,
            timeout: timeout.into(),
            answers,
            examples: FailureExamples::default(),
            known: Known::of(connecting),
            answered: targets.iter().map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// Sends the request and reads the answer, with its body, to the end. `head` receives the answer's head as soon as that
    /// is known.
    fn exchange(
        &self,
        target: usize,
        sequence: u64,
        key: KeyId,
        scratch: &mut Scratch,
        head: &mut Option<Head>,
    ) -> Result<Meaning, ureq::Error> {
        let Scratch {
            request,
            buffer,
            kept,
        } = scratch;
        kept.clear();
        let made = self.requests.make(target, sequence, key, request);
        let (request, body) = made.map_err(io::Error::other)?;
        let response = match body {
            Some(body) => self.agent.run(request.map(|()| body)),
            None => self.agent.run(request),
        }?;
        buffer.resize(BUFFER, 0);
        Ok(self.read(response, buffer, kept, head)?)
    }

    fn read(
        &self,
        response: Response<Body>,
        buffer: &mut [u8],
        kept: &mut KeptBody,
        head: &mut Option<Head>,
    ) -> io::Result<Meaning> {
        let (mut parts, body) = response.into_parts();
        // ureq read as many as it can, so that there may be more.
        if parts.headers.len() >= MOST_HEADERS {
            parts.headers.extend(exchange::take_surplus());
        }
        let head = head.insert(Head {
            version: parts.version,
            status: parts.status,
            headers: parts.headers,
        });
        let body = body.into_reader();
        Ok(match self.answers.by_head(head) {
            ByHead::Decided(meaning) => {
                let is_failed = matches!(meaning.outcome, Outcome::Failed(_));
                let kept_length = if is_failed { EXCERPT } else { 0 };
                read_to_end(body, buffer, |part| kept.push_up_to(kept_length, part))?;
                meaning
            }
            ByHead::Open(undecided) => {
                read_to_end(body, buffer, |part| kept.push(part))?;
                undecided.by_body(kept)
            }
        })
    }

    /// Sends the request over a kept connection, or over a fresh one, which is closed afterwards.
    fn send(
        &self,
        target: usize,
        fresh: bool,
        sequence: u64,
        key: KeyId,
        scratch: &mut Scratch,
    ) -> (Answer, Option<Head>) {
        let attempted = Moment::now();
        exchange::begin(target, fresh, attempted, attempted + self.timeout);
        let mut head = None;
        let result = self.exchange(target, sequence, key, scratch, &mut head);
        let exchange = exchange::current();
        let meaning = match &result {
            Ok(meaning) => *meaning,
            Err(error) => Outcome::Failed(failure_kind(error, &exchange)).into(),
        };
        let mut answer = Answer {
            sent: exchange.sent.unwrap_or(attempted),
            transmitted: exchange.sent.is_some(),
            done: exchange.returned.unwrap_or_else(Moment::now),
            connecting: exchange.connecting,
            outcome: meaning.outcome,
            failing_open: meaning.failing_open,
            status: head.as_ref().map(|head| head.status.as_u16()),
            reason: None,
            address: exchange.address,
        };
        if let Outcome::Failed(kind) = answer.outcome {
            let masks = FailureMasks::of_request(&self.requests, &scratch.request);
            let failure = Failure {
                kind,
                error: result.as_ref().err(),
                exchange: &exchange,
                head: head.as_ref(),
                body: scratch.kept.beginning(),
                received: &exchange::take_received(),
                known: self.known,
                target_has_answered: self.answered[target].load(Relaxed),
                masks: &masks,
            };
            answer.reason = failure.reason();
            self.keep_example(&failure, &answer, sequence);
        }
        if exchange.has_answer() && !self.answered[target].load(Relaxed) {
            self.answered[target].store(true, Relaxed);
        }
        (answer, head.filter(|_| result.is_ok()))
    }

    /// Keeps the failure as an example if one is wanted. A request that fails because the run is interrupted is none.
    fn keep_example(&self, failure: &Failure, answer: &Answer, sequence: u64) {
        let is_wanted = self.examples.claim(failure.kind, answer.status);
        if let Some(cause) = FailureCause::of(answer)
            && is_wanted
            && !self.open.are_shut_down()
        {
            self.examples.add(FailureExample {
                cause,
                sequence,
                target: failure.exchange.target,
                sent: answer.sent,
                error: failure.error(),
                answer: failure.answer(),
            });
        }
    }
}

impl Caller for Client {
    type Scratch = Scratch;

    fn prepare(&self, sequence: u64, scratch: &mut Scratch) {
        self.requests.prepare(sequence, &mut scratch.request);
    }

    fn call(
        &self,
        target: usize,
        sequence: u64,
        key: KeyId,
        scratch: &mut Scratch,
    ) -> (Answer, Option<Head>) {
        self.send(target, false, sequence, key, scratch)
    }

    fn call_over_fresh_connection(
        &self,
        target: usize,
        sequence: u64,
        key: KeyId,
        scratch: &mut Scratch,
    ) -> (Answer, Option<Head>) {
        self.send(target, true, sequence, key, scratch)
    }

    fn interrupt(&self) {
        self.open.shut_down();
    }
}

/// Reads a body part by part, to its end or until it is longer than [`MAX_BODY`].
fn read_to_end(
    mut body: impl Read,
    buffer: &mut [u8],
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut total = 0;
    while total <= MAX_BODY
        && let length @ 1.. = body.read(buffer)?
    {
        each(&buffer[..length]);
        total += length;
    }
    Ok(())
}
