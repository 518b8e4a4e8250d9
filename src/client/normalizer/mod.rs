//! A transport that bridges the differences between HTTP/1.1 as servers speak it and as ureq reads and writes it.
//!
//! ureq's parser refuses some answers that [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112) lets a recipient accept,
//! and has no setting for them. They are rewritten before ureq reads them:
//!
//! - Interim answers (status 1xx), with headers or without, are dropped. ureq refuses a 100 with headers.
//! - Folded header lines, white space before a colon, and several blanks in the status line are replaced as the RFC
//!   describes, and header lines beyond the 128 that ureq reads are set aside for the caller.
//! - Chunked bodies get chunk-size lines without extensions. ureq refuses a line of more than 20 bytes.
//!
//! Any other answer is scanned once, for its line ends and colons, and then read by ureq from where it arrived.
//!
//! ureq writes header names in lower case. They are changed, in place, to the [`Spelling`] that the user typed.

mod chunks;
mod head;

use super::{MAX_HEAD, exchange};
use crate::core::request::Spelling;
use chunks::Dechunker;
use head::Scan;
use std::sync::Arc;
use ureq::Error;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

pub(super) use head::{MOST_HEADERS, has_answer};

/// A connection whose answers ureq can read. The order of calls:
///
/// 1. The connector calls [`Normalizer::begin`] when it lends the connection to a request.
/// 2. ureq writes the request and reads the answer, as [`Transport`] describes.
/// 3. After a failure, the connector asks [`Normalizer::has_answered`].
/// 4. The connector calls [`Normalizer::is_finished`] before it keeps the connection, and [`Normalizer::is_quiet`]
///    before it lends it again.
#[derive(Debug)]
pub(super) struct Normalizer<T> {
    inner: T,
    /// `None` if all names are in lower case.
    spelling: Option<Arc<Spelling>>,
    /// The request's head has left.
    head_sent: bool,
    /// Something of the answer has arrived.
    has_answered: bool,
    reading: Reading,
    /// Input for ureq to read before that of the inner transport.
    rewritten: Rewritten,
}

/// The part of the answer that is read next.
#[derive(Debug)]
enum Reading {
    Head,
    /// A rest that ureq can read as it is.
    Plain,
    Chunked(Dechunker),
}

impl<T: Transport> Normalizer<T> {
    pub fn new(inner: T, spelling: Option<Arc<Spelling>>) -> Self {
        Normalizer {
            inner,
            spelling,
            head_sent: false,
            has_answered: false,
            reading: Reading::Head,
            rewritten: Rewritten::default(),
        }
    }

    /// Prepares for the next request and its answer.
    pub fn begin(&mut self) {
        self.head_sent = false;
        self.has_answered = false;
        self.reading = Reading::Head;
    }

    /// Returns whether anything of an answer has arrived since [`Normalizer::begin`], be it an interim one.
    pub fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Returns whether all that arrived belongs to the answer.
    pub fn is_finished(&mut self) -> bool {
        self.rewritten.input().is_empty() && self.inner.buffers().input().is_empty()
    }

    /// Returns whether nothing has arrived on an idle connection since its last answer, not even its end.
    pub fn is_quiet(&mut self) -> bool {
        self.inner.is_open()
    }

    /// Waits until there is a head for ureq to read, or to refuse. Interim answers are dropped.
    fn await_head(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let mut is_scanned = true;
        loop {
            if is_scanned && !self.inner.await_input(timeout)? {
                self.reading = Reading::Plain;
                return Ok(false);
            }
            self.has_answered = true;
            let input = self.inner.buffers().input();
            match head::scan(input) {
                Scan::Foreign => break,
                // ureq refuses a head of this length.
                Scan::Incomplete if input.len() > MAX_HEAD => break,
                Scan::Incomplete => is_scanned = true,
                Scan::Interim { length } => {
                    is_scanned = length == input.len();
                    self.inner.buffers().input_consume(length);
                }
                Scan::Final(shape) if shape.length > MAX_HEAD => break,
                Scan::Final(shape) => {
                    if shape.is_plain && !shape.is_chunked {
                        break;
                    }
                    let head = &input[..shape.length];
                    if shape.is_plain {
                        self.rewritten.bytes().extend_from_slice(head);
                    } else {
                        let output = self.rewritten.bytes();
                        exchange::note_surplus(head::rewrite(head, shape.is_chunked, output));
                    }
                    self.inner.buffers().input_consume(shape.length);
                    if shape.is_chunked {
                        let mut dechunker = Dechunker::default();
                        self.rewrite_chunks(&mut dechunker);
                        self.reading = Reading::Chunked(dechunker);
                    } else {
                        self.reading = Reading::Plain;
                    }
                    return Ok(true);
                }
            }
        }
        self.reading = Reading::Plain;
        Ok(true)
    }

    /// Rewrites what has arrived of a chunked body. Returns whether ureq can make progress with it.
    fn rewrite_chunks(&mut self, dechunker: &mut Dechunker) -> bool {
        let output = self.rewritten.bytes();
        let before = output.len();
        let buffers = self.inner.buffers();
        let consumed = dechunker.rewrite(buffers.input(), output);
        if *dechunker == Dechunker::Broken {
            exchange::note_received(buffers.input());
        }
        buffers.input_consume(consumed);
        output.len() > before
    }

    fn await_chunks(
        &mut self,
        dechunker: &mut Dechunker,
        timeout: NextTimeout,
    ) -> Result<bool, Error> {
        while self.inner.await_input(timeout)? {
            if self.rewrite_chunks(dechunker) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<T: Transport> Transport for Normalizer<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        let is_rewritten = matches!(self.reading, Reading::Chunked(_));
        if is_rewritten || !self.rewritten.input().is_empty() {
            &mut self.rewritten
        } else {
            self.inner.buffers()
        }
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if !self.head_sent
            && let Some(spelling) = &self.spelling
        {
            let output = &mut self.inner.buffers().output()[..amount];
            spelling.apply(output);
            // ureq writes whole lines, and the body apart from the head.
            self.head_sent = output == b"\r\n" || output.ends_with(b"\r\n\r\n");
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        match &mut self.reading {
            Reading::Plain => self.inner.await_input(timeout),
            Reading::Head => self.await_head(timeout),
            Reading::Chunked(dechunker) => {
                let mut dechunker = std::mem::take(dechunker);
                let progress = self.await_chunks(&mut dechunker, timeout);
                self.reading = Reading::Chunked(dechunker);
                progress
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Input that has been rewritten for ureq.
#[derive(Debug, Default)]
struct Rewritten {
    bytes: Vec<u8>,
    /// The bytes up to here have been consumed.
    consumed: usize,
    /// The last call consumed some bytes.
    progressed: bool,
}

impl Rewritten {
    /// The bytes, to append to.
    fn bytes(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.consumed);
        self.consumed = 0;
        &mut self.bytes
    }
}

/// ureq only reads from these buffers: the request has left before anything is rewritten.
impl Buffers for Rewritten {
    fn output(&mut self) -> &mut [u8] {
        &mut []
    }

    fn input(&self) -> &[u8] {
        &self.bytes[self.consumed..]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        &mut []
    }

    fn input_appended(&mut self, _: usize) {}

    fn input_consume(&mut self, amount: usize) {
        self.consumed += amount;
        self.progressed = amount > 0;
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut [], &mut [])
    }

    fn can_use_input(&self) -> bool {
        self.progressed && !self.input().is_empty()
    }
}
