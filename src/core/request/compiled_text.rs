use super::escape::Escape;
use super::placeholder::{Constants, Value, Values, Varying};
use super::template::{Piece, Template};
use crate::core::keys::Keys;
use std::io::Write;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// A template with the values filled in that all requests of a run share.
#[derive(Debug, Clone)]
pub(super) struct CompiledText {
    /// The text without the values that differ from request to request.
    bytes: Vec<u8>,
    /// The places of these values, in order.
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The index in `bytes` before which the value belongs.
    at: usize,
    value: Varying,
    escape: Escape,
}

/// The digits of the largest number of 64 bits.
const DIGITS: usize = 20;

impl CompiledText {
    pub fn new(template: &Template, constants: &Constants, escape: Escape) -> CompiledText {
        let mut bytes = Vec::new();
        let mut slots = Vec::new();
        let keys = constants.keys;
        let key_escape = match escape {
            Escape::Json if keys.are_plain_in_json() => Escape::None,
            Escape::Percent if keys.are_unreserved() => Escape::None,
            other => other,
        };
        let mut add_slot = |value, before: &[u8]| {
            slots.push(Slot {
                at: before.len(),
                value,
                escape: match value {
                    Varying::Key => key_escape,
                    Varying::Target => escape,
                    Varying::Number(_) | Varying::OfTerms(_) | Varying::Uuid => Escape::None,
                },
            });
        };
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) | Piece::Secret { text, .. } => {
                    bytes.extend_from_slice(text.as_bytes());
                }
                Piece::Variable(variable) => {
                    let value = variable.value.as_deref().unwrap_or_default();
                    escape.write(value, &mut bytes);
                }
                Piece::Placeholder(placeholder) => match placeholder.value() {
                    Value::OfTerms(number) => match constants.common(number) {
                        Some(number) => write_number(&mut bytes, number),
                        None => add_slot(Varying::OfTerms(number), &bytes),
                    },
                    Value::Varying(value) => add_slot(value, &bytes),
                },
            }
        }
        CompiledText { bytes, slots }
    }

    /// The bytes of every request, if they are the same for all.
    pub fn constant(&self) -> Option<&[u8]> {
        self.slots.is_empty().then_some(&self.bytes)
    }

    /// Appends the bytes of one request to `buffer`.
    pub fn write(&self, values: &Values<'_>, buffer: &mut Vec<u8>) {
        let mut written = 0;
        for slot in &self.slots {
            buffer.extend_from_slice(&self.bytes[written..slot.at]);
            written = slot.at;
            slot.write(values, buffer);
        }
        buffer.extend_from_slice(&self.bytes[written..]);
    }

    /// The length in bytes, if it is the same for every request.
    pub fn fixed_len(&self, keys: &Keys) -> Option<usize> {
        let filled = self.slots.iter().map(|slot| match slot.value {
            Varying::Key if slot.escape == Escape::None => keys.fixed_len(),
            Varying::Uuid => Some(Hyphenated::LENGTH),
            _ => None,
        });
        let filled: usize = filled.sum::<Option<_>>()?;
        Some(self.bytes.len() + filled)
    }

    /// An upper bound of the length in bytes. `target` is the length of the longest base URL.
    pub fn longest(&self, keys: &Keys, target: usize) -> usize {
        let filled = self.slots.iter().map(|slot| {
            let value = match slot.value {
                Varying::Key => keys.longest(),
                Varying::Uuid => Hyphenated::LENGTH,
                Varying::Target => target,
                Varying::Number(_) | Varying::OfTerms(_) => DIGITS,
            };
            value * slot.escape.growth()
        });
        self.bytes.len() + filled.sum::<usize>()
    }
}

impl Slot {
    fn write(&self, values: &Values<'_>, buffer: &mut Vec<u8>) {
        match self.value {
            Varying::Key if self.escape == Escape::None => values.keys().write(values.key, buffer),
            Varying::Key => self.escape.write(&values.keys().name(values.key), buffer),
            Varying::Target => self.escape.write(values.target, buffer),
            Varying::Uuid => {
                let mut text = Uuid::encode_buffer();
                let text = values.uuid().hyphenated().encode_lower(&mut text);
                buffer.extend_from_slice(text.as_bytes());
            }
            Varying::Number(number) => write_number(buffer, number(values)),
            Varying::OfTerms(number) => write_number(buffer, number(&values.terms())),
        }
    }
}

fn write_number(buffer: &mut Vec<u8>, number: u64) {
    // Writing to a vector cannot fail.
    let _ = write!(buffer, "{number}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{KeyId, Nanos};
    use crate::core::keys::KeyList;

    fn listed(keys: &str) -> Keys {
        Keys::listed(KeyList::read(keys.as_bytes()).unwrap().into(), "")
    }

    fn run(keys: &Keys) -> Constants<'_> {
        Constants {
            keys,
            limit: 100,
            window: Nanos(90_000_000_000),
        }
    }

    fn compiled(text: &str, keys: &Keys, escape: Escape) -> CompiledText {
        CompiledText::new(&text.parse().expect(text), &run(keys), escape)
    }

    fn filled(text: &str, keys: &Keys, escape: Escape) -> String {
        filled_for(KeyId(0), text, keys, escape)
    }

    fn filled_for(key: KeyId, text: &str, keys: &Keys, escape: Escape) -> String {
        const TARGET: &str = "http://h:1/x";
        let compiled = compiled(text, keys, escape);
        let mut buffer = b"> ".to_vec();
        let values = Values::new(run(keys), key, 17, TARGET, 1);
        compiled.write(&values, &mut buffer);
        let filled = String::from_utf8(buffer).unwrap().split_off(2);
        if let Some(length) = compiled.fixed_len(keys) {
            assert_eq!(filled.len(), length);
        }
        if let Some(constant) = compiled.constant() {
            assert_eq!(constant, filled.as_bytes());
        }
        assert!(filled.len() <= compiled.longest(keys, TARGET.len()));
        filled
    }

    #[test]
    fn values_are_escaped_as_their_place_requires() {
        let keys = listed("a \"b\"/é");
        let text = "{key} {limit} {window_ms} {window_s} {seq} {target}";
        let percent = "a%20%22b%22%2F%C3%A9 100 90000 90 17 http%3A%2F%2Fh%3A1%2Fx";
        for (escape, expected) in [
            (Escape::None, r#"a "b"/é 100 90000 90 17 http://h:1/x"#),
            (Escape::Json, r#"a \"b\"/é 100 90000 90 17 http://h:1/x"#),
            (Escape::Percent, percent),
        ] {
            assert_eq!(filled(text, &keys, escape), expected);
        }
        assert_eq!(filled("{limit}", &keys, Escape::Json), "100");
    }

    #[test]
    fn a_key_with_a_limit_or_a_cost_of_its_own_has_it_in_its_requests() {
        let keys = listed("a\t7/2s\nb\tcost 5\nc\tunlimited\nd").with_cost(3);
        let text = "{limit} {window_ms} {window_s} {cost}";
        for (key, expected) in [
            (0, "7 2000 2 3"),
            (1, "100 90000 90 5"),
            (2, "100 90000 90 3"),
            (3, "100 90000 90 3"),
        ] {
            assert_eq!(filled_for(KeyId(key), text, &keys, Escape::Json), expected);
        }
    }

    #[test]
    fn a_number_that_all_keys_share_is_filled_in_once() {
        let tiered = listed("a\tunlimited\nb\tcost 5");
        let plain = listed("a\nb").with_cost(12);
        for (text, keys, constant) in [
            ("{limit} {window_ms} {cost}", &plain, Some("100 90000 12")),
            ("{limit} {window_s}", &tiered, Some("100 90")),
            ("{cost}", &tiered, None),
        ] {
            let compiled = compiled(text, keys, Escape::None);
            assert_eq!(compiled.constant(), constant.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn a_variable_is_escaped_as_its_place_requires() {
        let keys = listed("k");
        for (escape, expected) in [
            (Escape::None, "<a\"/b>"),
            (Escape::Json, "<a\\\"/b>"),
            (Escape::Percent, "<a%22%2Fb>"),
        ] {
            let template: Template = "<{env:A}>".parse().unwrap();
            let template = template.with_variables(&|_| Some("a\"/b".to_owned()), |_| true);
            let compiled = CompiledText::new(&template.unwrap(), &run(&keys), escape);
            assert_eq!(compiled.constant(), Some(expected.as_bytes()));
        }
    }

    #[test]
    fn a_request_has_one_uuid_and_one_time() {
        let text = "{uuid} {uuid} {now_ms} {now_ms}";
        let filled = filled(text, &Keys::fresh("k-"), Escape::None);
        let words: Vec<_> = filled.split(' ').collect();
        assert_eq!((words[0], words[2]), (words[1], words[3]));
        assert_eq!(words[2].len(), 13);
    }

    #[test]
    fn a_length_is_fixed_if_no_value_varies_in_length() {
        let keys = Keys::fresh("k-");
        for (text, length) in [
            ("{key}{key}", Some(20)),
            ("{limit}{window_ms}{uuid}", Some(3 + 5 + 36)),
            ("{seq}", None),
            ("{now_ms}", None),
            ("{target}", None),
        ] {
            let compiled = compiled(text, &keys, Escape::None);
            assert_eq!(compiled.fixed_len(&keys), length, "{text}");
        }
        let keys = listed("a\nbc");
        let key = compiled("{key}", &keys, Escape::None);
        assert_eq!(key.fixed_len(&keys), None);
    }
}
