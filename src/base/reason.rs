//! Reasons for failures, as small as a sample needs them.

use parking_lot::RwLock;

/// Why a request failed, in a few words, such as `speaks HTTP/2`. A handle of a text that is stored once.
///
/// A process stores at most 100 different texts of at most 200 bytes each. All further ones become one text that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(u8);

const MOST: usize = 100;
const LONGEST: usize = 200;
const ANOTHER: &str = "another reason: there are too many to list";

static TEXTS: RwLock<Vec<&'static str>> = RwLock::new(Vec::new());

impl Reason {
    pub fn new(text: &str) -> Reason {
        let text = &text[..text.floor_char_boundary(LONGEST)];
        let position = |texts: &[&str]| texts.iter().position(|known| *known == text);
        if let Some(place) = position(&TEXTS.read()) {
            return Reason(place as u8);
        }
        let mut texts = TEXTS.write();
        let place = position(&texts).unwrap_or_else(|| {
            if texts.len() < MOST {
                let has_room = texts.len() + 1 < MOST;
                let kept = has_room.then(|| &*String::leak(text.to_owned()));
                texts.push(kept.unwrap_or(ANOTHER));
            }
            texts.len() - 1
        });
        Reason(place as u8)
    }

    pub fn text(self) -> &'static str {
        TEXTS.read()[self.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts are shared by all tests of a process, so one test fills them.
    #[test]
    fn equal_texts_have_one_handle_and_too_many_become_one() {
        let one = Reason::new("speaks HTTP/2");
        assert_eq!(
            (one.text(), Reason::new("speaks HTTP/2")),
            ("speaks HTTP/2", one)
        );
        let long = Reason::new(&"é".repeat(LONGEST));
        assert_eq!(long.text(), "é".repeat(LONGEST / 2));
    }
}
