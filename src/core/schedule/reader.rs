use super::Rate;
use crate::base::Nanos;
use crate::base::text::{Cursor, Decimal, SyntaxError, some_time, unit_of_rate, whole};
use std::str::FromStr;

/// Reads the words, rates and times of a profile's text from left to right. A clone reads ahead.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    cursor: Cursor<'a>,
    /// The form of the piece that is being read: `ramp RATE to RATE over TIME`.
    pub form: &'static str,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Reader {
            cursor: Cursor::new(text),
            form: "",
        }
    }

    pub fn is_at_end(&self) -> bool {
        self.cursor.is_at_end()
    }

    /// Reads the comma between two pieces, if it is next.
    pub fn comma(&mut self) -> Result<(), SyntaxError> {
        self.cursor.refuse_comma_in_number()?;
        self.cursor.takes(",");
        Ok(())
    }

    pub fn is_number(&self) -> bool {
        !self.cursor.peek_number().is_empty()
    }

    /// Reads a word, in any case, if it is next.
    pub fn takes(&mut self, word: &str) -> bool {
        let next = self.cursor.peek_letters();
        let is_next = next.text.eq_ignore_ascii_case(word);
        if is_next {
            self.cursor.take(next);
        }
        is_next
    }

    /// Reads a word if it and a rate are next.
    pub fn takes_before_rate(&mut self, word: &str) -> bool {
        let mut ahead = self.clone();
        if !ahead.takes(word) {
            return false;
        }
        let mut rate = ahead.cursor;
        rate.take(rate.peek_number());
        let is_rate = rate.takes("/");
        if is_rate {
            *self = ahead;
        }
        is_rate
    }

    /// Reads a word that must be next.
    pub fn keyword(&mut self, word: &str) -> Result<(), SyntaxError> {
        if self.takes(word) {
            return Ok(());
        }
        Err(self.expected(&quoted(word)))
    }

    /// Reads a symbol that must be next, in one of several spellings.
    pub fn symbol(&mut self, spellings: &[&str]) -> Result<(), SyntaxError> {
        if spellings.iter().any(|symbol| self.cursor.takes(symbol)) {
            return Ok(());
        }
        Err(self.expected(&spellings.join(" or ")))
    }

    /// Reads a rate from [`Rate::MIN_STEADY`] to `most`.
    pub fn rate(&mut self, most: Rate) -> Result<Rate, SyntaxError> {
        let (least, start) = (Rate::MIN_STEADY, self.clone());
        any_rate(&mut self.cursor)
            .filter(|rate| (least..=most).contains(rate))
            .ok_or_else(|| {
                let form = "must be a rate such as 50/s, 0.5/s, 30/m or 10/h";
                let found = start.found_or_missing("rate");
                start.error(format!("{found} {form}, from {least}/s to {most}/s"))
            })
    }

    /// Reads a rate up to `most` that may be 0.
    pub fn rate_or_zero(&mut self, most: Rate) -> Result<Rate, SyntaxError> {
        let mut ahead = self.clone();
        if any_rate(&mut ahead.cursor) == Some(Rate::ZERO) {
            *self = ahead;
            return Ok(Rate::ZERO);
        }
        self.rate(most)
    }

    /// Reads a time from 1 ms to 3650 days: `90`, `1h 30m`. It ends before a symbol or a word of the form.
    pub fn time(&mut self) -> Result<Nanos, SyntaxError> {
        let start = self.clone();
        loop {
            let number = self.cursor.peek_number();
            let word = self.cursor.peek_letters();
            let mut words = self.form.split(|c: char| !c.is_lowercase());
            if !number.is_empty() {
                self.cursor.take(number);
            } else if !word.is_empty() && words.all(|own| own != word.text.to_lowercase()) {
                self.cursor.take(word);
            } else {
                break;
            }
        }
        let time = self.cursor.since(start.cursor.rest()).text;
        some_time(time).map(Nanos::from).map_err(|why| {
            let found = match time {
                "" => start.found_or_missing("time"),
                time => quoted(time),
            };
            start.error(format!("{found} {why}"))
        })
    }

    /// Reads a whole number from 1 to `most`.
    pub fn whole(&mut self, most: u64) -> Result<u64, SyntaxError> {
        let number = self.cursor.peek_number();
        let count = whole(number.text, 1..=most)
            .map_err(|why| self.error(format!("{} {why}", self.found_or_missing("number"))))?;
        self.cursor.take(number);
        Ok(count)
    }

    /// A refusal of the text from here on.
    pub fn error(&self, message: impl Into<String>) -> SyntaxError {
        self.cursor.rest().error(message)
    }

    pub fn expected(&self, what: &str) -> SyntaxError {
        self.error(format!(
            "{} where {what} should be: {}",
            self.found(),
            self.form
        ))
    }

    pub fn is_at_end_of_piece(&self) -> bool {
        self.cursor.is_at_end() || self.cursor.rest().text.starts_with(',')
    }

    /// The beginning of a sentence that says what must be next.
    fn found_or_missing(&self, what: &str) -> String {
        if self.is_at_end_of_piece() {
            format!("the {what} is missing; it")
        } else {
            self.found()
        }
    }

    /// The text that is next, up to a blank or a comma.
    pub fn found(&self) -> String {
        let next = self.cursor.peek(|c| c != ',' && !c.is_whitespace());
        match next.text {
            "" if self.cursor.is_at_end() => "the end".to_owned(),
            "" => "a comma".to_owned(),
            text => quoted(text),
        }
    }
}

/// Reads a number of requests per second, minute or hour, rounded to the nearest nano-request per second: exact per second
/// with up to nine decimals. `None` if it is more than [`Rate::MAX`], or rounds to 0 without being 0.
fn any_rate(cursor: &mut Cursor) -> Option<Rate> {
    let number = Decimal::parse(cursor.take(cursor.peek_number()).text)?;
    if !cursor.takes("/") {
        return None;
    }
    let seconds = unit_of_rate(cursor.take(cursor.peek_letters()).text)?;
    match number.nearest(1_000_000_000, seconds)? {
        0 => number.is_zero().then_some(Rate::ZERO),
        nano => (nano <= Rate::MAX.nano()).then(|| Rate::from_nano(nano)),
    }
}

/// Reads a rate with its unit, such as `10/s` or `600/m`.
impl FromStr for Rate {
    type Err = ();

    fn from_str(text: &str) -> Result<Rate, ()> {
        let mut cursor = Cursor::new(text);
        let rate = any_rate(&mut cursor).filter(|_| cursor.is_at_end());
        rate.ok_or(())
    }
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}
