//! Reasons for failures, as small as a sample needs them.

use parking_lot::RwLock;

/// Why a request failed, in a few words, such as `speaks HTTP/2`. A handle of a text that is stored once.
///
/// A process stores at most 255 different texts of at most 200 bytes each. Servers choose a part of some texts. At most
/// 10 of a sort are stored, so that a server that sends something else each time takes no other reason's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(u8);

const MOST: usize = 255;
const MOST_OF_A_SORT: usize = 10;
const LONGEST: usize = 200;
const ANOTHER: &str = "another reason: there are too many to list";

static TEXTS: RwLock<Texts> = RwLock::new(Texts(Vec::new()));

impl Reason {
    /// A reason in the program's own words.
    pub fn new(text: &'static str) -> Reason {
        Reason::stored(text, None)
    }

    /// A reason that repeats the words of a server, a library or the system. `others` names its sort, and stands for all
    /// further reasons of that sort if there are too many.
    pub fn quoting(text: &str, others: &'static str) -> Reason {
        Reason::stored(text, Some(others))
    }

    /// A reason of another process, as it wrote it.
    pub fn recorded(text: &str) -> Reason {
        Reason::stored(text, None)
    }

    fn stored(text: &str, others: Option<&'static str>) -> Reason {
        let text = &text[..text.floor_char_boundary(LONGEST)];
        if let Some(known) = TEXTS.read().handle(text, others) {
            return known;
        }
        TEXTS.write().handle_or_add(text, others)
    }

    pub fn text(self) -> &'static str {
        TEXTS.read().0[self.0 as usize].0
    }
}

/// The texts so far. Each one that quotes comes with the text that stands for others of its sort.
struct Texts(Vec<(&'static str, Option<&'static str>)>);

impl Texts {
    /// `None` if the text has to be added.
    fn handle(&self, text: &str, others: Option<&'static str>) -> Option<Reason> {
        let place = |text: &str| self.0.iter().position(|(known, _)| *known == text);
        let of_others = || place(others.filter(|others| self.is_full(others))?);
        let place = place(text).or_else(of_others)?;
        Some(Reason(place as u8))
    }

    fn is_full(&self, others: &str) -> bool {
        let of_sort = self.0.iter().filter(|(_, sort)| *sort == Some(others));
        of_sort.count() >= MOST_OF_A_SORT
    }

    fn handle_or_add(&mut self, text: &str, others: Option<&'static str>) -> Reason {
        if let Some(known) = self.handle(text, others) {
            return known;
        }
        let added = match others {
            Some(others) if self.is_full(others) => (others, None),
            _ => (&*String::leak(text.to_owned()), others),
        };
        match self.0.len() {
            MOST => {}
            length if length + 1 == MOST => self.0.push((ANOTHER, None)),
            _ => self.0.push(added),
        }
        Reason((self.0.len() - 1) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_handle_and_long_ones_are_cut() {
        let one = Reason::new("speaks HTTP/2");
        assert_eq!(
            (one.text(), Reason::new("speaks HTTP/2")),
            ("speaks HTTP/2", one)
        );
        let long = Reason::quoting(&"é".repeat(LONGEST), "long");
        assert_eq!(long.text(), "é".repeat(LONGEST / 2));
    }

    #[test]
    fn texts_that_servers_choose_take_no_place_of_others() {
        let mut texts = Texts(Vec::new());
        let mut text_of = |text: &str, others| {
            let Reason(place) = texts.handle_or_add(text, others);
            let found = texts.handle(text, others);
            assert_eq!(found, Some(Reason(place)));
            texts.0[place as usize].0
        };
        for sort in ["not HTTP: others", "not TLS: others"] {
            for banner in 0..1000 {
                let text = format!("{sort} {banner}");
                let expected = if banner < MOST_OF_A_SORT { &text } else { sort };
                assert_eq!(text_of(&text, Some(sort)), expected);
            }
        }
        assert_eq!(text_of("speaks HTTP/2", None), "speaks HTTP/2");
        assert_eq!(texts.0.len(), 2 * (MOST_OF_A_SORT + 1) + 1);
    }

    #[test]
    fn too_many_texts_become_one() {
        let mut texts = Texts(Vec::new());
        for number in 0..1000 {
            let Reason(place) = texts.handle_or_add(&number.to_string(), None);
            assert_eq!(usize::from(place), number.min(MOST - 1));
        }
        assert_eq!(texts.0.len(), MOST);
        assert_eq!(texts.0[MOST - 1].0, ANOTHER);
    }
}
