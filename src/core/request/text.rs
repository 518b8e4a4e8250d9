use super::escape::Escape;
use super::form::Constants;
use super::template::{Piece, Template};
use super::{Placeholder, Values};
use crate::core::keys::Keys;
use std::io::Write;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// A template in which what all requests of a run have in common is filled in.
#[derive(Debug, Clone)]
pub struct Text {
    /// Without what is still to be filled in.
    bytes: Vec<u8>,
    /// In the order of their places.
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// In `bytes`.
    at: usize,
    value: Varying,
    escape: Escape,
}

/// What differs from request to request.
#[derive(Debug, Clone, Copy)]
enum Varying {
    Key,
    Seq,
    Uuid,
    Target,
    NowMs,
}

/// Of a whole number of 64 bits; of milliseconds since 1970, for some hundred million years.
const DIGITS: usize = 20;

impl Text {
    pub(super) fn compile(template: &Template, constants: &Constants, escape: Escape) -> Text {
        let mut text = Text {
            bytes: Vec::new(),
            slots: Vec::new(),
        };
        let keys = constants.keys;
        let key_escape = match escape {
            Escape::Json if keys.are_plain_in_json() => Escape::None,
            Escape::Percent if keys.are_unreserved() => Escape::None,
            other => other,
        };
        for piece in &template.pieces {
            let placeholder = match piece {
                Piece::Text(literal) => {
                    text.bytes.extend_from_slice(literal.as_bytes());
                    continue;
                }
                Piece::Placeholder(placeholder) => *placeholder,
            };
            match placeholder {
                Placeholder::Limit => text.fill_in(constants.limit),
                Placeholder::WindowMs => text.fill_in(constants.window_ms),
                Placeholder::WindowS => text.fill_in(constants.window_ms / 1_000),
                Placeholder::Key => text.leave(Varying::Key, key_escape),
                Placeholder::Target => text.leave(Varying::Target, escape),
                Placeholder::Seq => text.leave(Varying::Seq, Escape::None),
                Placeholder::Uuid => text.leave(Varying::Uuid, Escape::None),
                Placeholder::NowMs => text.leave(Varying::NowMs, Escape::None),
            }
        }
        text
    }

    fn fill_in(&mut self, number: u64) {
        self.bytes.extend_from_slice(number.to_string().as_bytes());
    }

    fn leave(&mut self, value: Varying, escape: Escape) {
        let at = self.bytes.len();
        self.slots.push(Slot { at, value, escape });
    }

    /// The same bytes for every request, if they are.
    pub fn constant(&self) -> Option<&[u8]> {
        self.slots.is_empty().then_some(&self.bytes)
    }

    /// The bytes for one request, written behind what `buffer` holds.
    pub fn write(&self, values: &Values<'_>, buffer: &mut Vec<u8>) {
        let mut written = 0;
        for slot in &self.slots {
            buffer.extend_from_slice(&self.bytes[written..slot.at]);
            written = slot.at;
            slot.write(values, buffer);
        }
        buffer.extend_from_slice(&self.bytes[written..]);
    }

    /// In bytes, where that is the same for every request.
    pub fn fixed_len(&self, keys: &Keys) -> Option<usize> {
        let filled = self.slots.iter().map(|slot| match slot.value {
            Varying::Key if slot.escape == Escape::None => keys.fixed_len(),
            Varying::Uuid => Some(Hyphenated::LENGTH),
            _ => None,
        });
        filled
            .sum::<Option<usize>>()
            .map(|filled| self.bytes.len() + filled)
    }

    /// No request has more bytes. `target` is the longest base URL.
    pub fn longest(&self, keys: &Keys, target: usize) -> usize {
        let filled = self.slots.iter().map(|slot| {
            let value = match slot.value {
                Varying::Key => keys.longest(),
                Varying::Uuid => Hyphenated::LENGTH,
                Varying::Target => target,
                Varying::Seq | Varying::NowMs => DIGITS,
            };
            value * slot.escape.growth()
        });
        self.bytes.len() + filled.sum::<usize>()
    }
}

impl Slot {
    fn write(&self, values: &Values<'_>, buffer: &mut Vec<u8>) {
        match self.value {
            Varying::Key if self.escape == Escape::None => {
                values.keys.write(values.key, buffer);
            }
            Varying::Key => self.escape.write(&values.keys.name(values.key), buffer),
            Varying::Target => self.escape.write(values.target, buffer),
            Varying::Uuid => {
                let mut text = Uuid::encode_buffer();
                let text = values.uuid().hyphenated().encode_lower(&mut text);
                buffer.extend_from_slice(text.as_bytes());
            }
            Varying::Seq => write_number(buffer, values.sequence),
            Varying::NowMs => write_number(buffer, values.now_ms()),
        }
    }
}

/// Cannot fail: a vector takes everything.
fn write_number(buffer: &mut Vec<u8>, number: impl std::fmt::Display) {
    let _ = write!(buffer, "{number}");
}
