//! The memory of one connection, in which ureq writes requests and reads answers.

use super::BUFFER;
use ureq::unversioned::transport::Buffers;

/// The largest input buffer, in bytes: more than ureq accepts of a response's head.
const MAX_INPUT: usize = 128 * 1024;

/// Buffers whose output is not sent at once: ureq's next write lands behind the last one.
#[derive(Debug, Default)]
pub(super) struct GatheringBuffers {
    output_buffer: usize,
    output: Vec<u8>,
    /// The length of the output that waits to be sent.
    pub gathered: usize,
    input: Vec<u8>,
    /// The input up to here has been consumed.
    consumed: usize,
    /// The input up to here has been received.
    filled: usize,
    /// The last call consumed some input.
    progressed: bool,
}

impl GatheringBuffers {
    /// `output_buffer` is the room in bytes that ureq always finds for what it writes in one piece.
    pub fn new(output_buffer: usize) -> Self {
        GatheringBuffers {
            output_buffer,
            ..GatheringBuffers::default()
        }
    }

    /// The first bytes of the output: those that are sent.
    pub fn outgoing(&self, length: usize) -> &[u8] {
        &self.output[..length]
    }

    fn make_room(&mut self) {
        let room = self.gathered + self.output_buffer;
        if self.output.len() < room {
            self.output.resize(room, 0);
        }
        self.make_input_room();
    }

    /// The free part of the input buffer, which is empty if the buffer can't grow.
    pub fn free_input(&mut self) -> &mut [u8] {
        self.make_input_room();
        &mut self.input[self.filled..]
    }

    fn make_input_room(&mut self) {
        if self.consumed == self.filled {
            self.consumed = 0;
            self.filled = 0;
        }
        if self.filled == self.input.len() {
            if self.consumed > 0 {
                self.input.copy_within(self.consumed..self.filled, 0);
                self.filled -= self.consumed;
                self.consumed = 0;
            } else if self.input.len() < MAX_INPUT {
                self.input.resize((self.input.len() * 2).max(BUFFER), 0);
            }
        }
    }
}

impl Buffers for GatheringBuffers {
    fn output(&mut self) -> &mut [u8] {
        self.make_room();
        &mut self.output[self.gathered..]
    }

    fn input(&self) -> &[u8] {
        &self.input[self.consumed..self.filled]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.make_room();
        &mut self.input[self.filled..]
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.progressed = amount > 0;
        self.consumed += amount;
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.make_room();
        let (input, output) = (&mut self.input, &mut self.output);
        (&mut input[self.filled..], &mut output[self.gathered..])
    }

    fn can_use_input(&self) -> bool {
        self.consumed < self.filled && self.progressed
    }
}
