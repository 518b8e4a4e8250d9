//! Promises as text: `sliding-window 100/60s`, `token-bucket 10/s burst 5 and fixed-window 100/60s by clock`.
//!
//! ```text
//! promise = limit { "and" limit }
//! limit   = algorithm [ requests "/" span ] { "burst" requests | "by" kind }
//! kind    = "clock" | "admission" | "key"
//! ```
//!
//! A span is a time such as `60s`, or a unit alone, which stands for one of it: `10/s`.

use super::{Algorithm, Kind, Limit, Promise, Quota, sliding_window};
use crate::base::Nanos;
use crate::base::text::{Cursor, SyntaxError, some_time, unit_of_time};
use std::fmt;

/// How limiters call what keeps the promise of a sliding window, so that a limiter's configuration can name its promise.
const LOG: &str = "sliding-log";

/// The highest limit, in requests per window.
pub const MOST: u64 = 1_000_000_000;

impl Promise {
    /// The promises of which a limiter has to keep one: one for each algorithm for `auto`, otherwise the one that the
    /// text describes. A limit without numbers takes those of `default`.
    ///
    /// # Errors
    /// The text has another form. The error names the column.
    pub fn alternatives(text: &str, default: Quota) -> Result<Vec<Promise>, SyntaxError> {
        if text.trim() == "auto" {
            return Ok(Promise::of_each_algorithm(default));
        }
        Promise::parse(text, default).map(|promise| vec![promise])
    }

    fn parse(text: &str, default: Quota) -> Result<Promise, SyntaxError> {
        let mut cursor = Cursor::new(text);
        let mut limits = vec![limit(&mut cursor, default)?];
        while !cursor.is_at_end() {
            let word = cursor.peek_word();
            if word.text != "and" {
                return Err(cursor.rest().error("must be `and` before another limit"));
            }
            cursor.take(word);
            limits.push(limit(&mut cursor, default)?);
        }
        Ok(Promise { limits })
    }
}

fn limit(cursor: &mut Cursor<'_>, default: Quota) -> Result<Limit, SyntaxError> {
    let mut limit = Limit::new(algorithm(cursor)?, default);
    let about = limit.algorithm.about();
    if cursor.rest().text.starts_with(|c: char| c.is_ascii_digit()) {
        let requests = requests(cursor)?;
        cursor.symbol("/", "the number of requests")?;
        limit.quota = Quota::new(requests, window(cursor)?);
    }
    loop {
        let word = cursor.peek_word();
        match word.text {
            "burst" if about.has_burst => {
                cursor.take(word);
                limit.quota.burst = requests(cursor)?;
            }
            "burst" => return Err(word.error("only a token-bucket has a burst")),
            "by" if about.kinds.len() > 1 => {
                cursor.take(word);
                limit.kind = Some(kind(cursor, about.kinds)?);
            }
            "by" => return Err(word.error(format!("a {} is of one kind only", about.name))),
            _ => return Ok(limit),
        }
    }
}

/// Reads the name of a kind, and returns its place.
fn kind(cursor: &mut Cursor<'_>, kinds: &[Kind]) -> Result<usize, SyntaxError> {
    let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
    let name = cursor.one_of(&names)?;
    let place = names.iter().position(|known| *known == name);
    Ok(place.expect("one of them"))
}

fn algorithm(cursor: &mut Cursor<'_>) -> Result<Algorithm, SyntaxError> {
    let name = cursor.peek(|c| c.is_alphanumeric() || c == '-' || c == '_');
    let known = Algorithm::ALL.into_iter();
    let promised = match name.text {
        LOG => sliding_window::ABOUT.name,
        other => other,
    };
    match known.clone().find(|known| known.name() == promised) {
        Some(algorithm) => {
            cursor.take(name);
            Ok(algorithm)
        }
        None => {
            let names: Vec<_> = known.map(Algorithm::name).collect();
            let form = format!("must be one of {}", names.join(", "));
            Err(name.error_with_hint(&form, &names))
        }
    }
}

fn requests(cursor: &mut Cursor<'_>) -> Result<u64, SyntaxError> {
    let number = cursor.peek_number();
    let read = number.text.parse().ok();
    let read = read.filter(|requests| (1..=MOST).contains(requests));
    let form = || format!("must be a whole number of requests from 1 to {MOST}");
    let requests = read.ok_or_else(|| number.error(form()))?;
    cursor.take(number);
    Ok(requests)
}

fn window(cursor: &mut Cursor<'_>) -> Result<Nanos, SyntaxError> {
    let first = cursor.rest();
    let mut ahead = *cursor;
    loop {
        let (number, letters) = (ahead.peek_number(), ahead.peek_letters());
        let read = ahead.since(first).text.len();
        let is_attached = first.text[read..].starts_with(char::is_alphabetic);
        if !number.is_empty() {
            ahead.take(number);
        } else if is_attached || unit_of_time(letters.text).is_some() {
            ahead.take(letters);
        } else {
            break;
        }
    }
    let span = ahead.since(first).text;
    let text = if span.starts_with(char::is_alphabetic) {
        format!("1{span}")
    } else {
        span.to_owned()
    };
    let window = some_time(&text).map_err(|why| first.error(why))?;
    *cursor = ahead;
    Ok(window.into())
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, limit) in self.limits.iter().enumerate() {
            let joint = if place == 0 { "" } else { " and " };
            write!(f, "{joint}{limit}")?;
        }
        Ok(())
    }
}

/// Writes the limit as it may be given: `token-bucket 10/s burst 5`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.quota)?;
        if self.algorithm.about().has_burst && self.quota.burst != self.quota.limit {
            write!(f, " burst {}", self.quota.burst)?;
        }
        match self.kind {
            Some(kind) => write!(f, " by {}", self.algorithm.about().kinds[kind].name),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Quota = Quota::new(100, Nanos(60_000_000_000));

    fn written(text: &str) -> String {
        let alternatives = Promise::alternatives(text, DEFAULT).expect(text);
        let written: Vec<_> = alternatives.iter().map(Promise::to_string).collect();
        written.join(" or ")
    }

    #[test]
    fn a_promise_is_written_as_it_may_be_given() {
        for text in [
            "sliding-window 100/60s",
            "fixed-window 20/2s",
            "fixed-window 20/2s by clock",
            "fixed-window 20/250ms by admission",
            "fixed-window 20/2s by key",
            "token-bucket 10/s burst 5",
            "token-bucket 10/s",
            "sliding-counter 20/2s",
            "token-bucket 10/s burst 20 and fixed-window 100/60s by clock",
        ] {
            assert_eq!(written(text), text);
        }
        for (text, same) in [
            ("sliding-window", "sliding-window 100/60s"),
            ("fixed-window by key", "fixed-window 100/60s by key"),
            ("token-bucket burst 5", "token-bucket 100/60s burst 5"),
            ("  sliding-window  7 / min ", "sliding-window 7/60s"),
            ("sliding-window 5/1h", "sliding-window 5/3600s"),
            ("sliding-window 5/1m 30s", "sliding-window 5/90s"),
            (
                "fixed-window 5/1 min 30 s by key and token-bucket 2/hour burst 1",
                "fixed-window 5/90s by key and token-bucket 2/3600s burst 1",
            ),
            ("token-bucket 5/s burst 5", "token-bucket 5/s"),
            ("sliding-log", "sliding-window 100/60s"),
        ] {
            assert_eq!(written(text), same, "{text}");
        }
    }

    #[test]
    fn auto_is_one_promise_of_each_algorithm() {
        let all = "sliding-window 100/60s or fixed-window 100/60s or token-bucket 100/60s or sliding-counter 100/60s";
        assert_eq!(written("auto"), all);
    }

    #[test]
    fn another_form_is_refused_with_its_column() {
        for (text, column) in [
            ("", 1),
            ("sliding", 1),
            ("sliding-window 0/s", 16),
            ("sliding-window 5", 17),
            ("sliding-window 5/", 18),
            ("sliding-window 5/x", 18),
            ("sliding-window 5/1x", 18),
            ("sliding-window 5/s 30", 18),
            ("sliding-window 5/0s", 18),
            ("sliding-window 5/s burst 3", 20),
            ("token-bucket 5/s burst", 23),
            ("token-bucket 5/s by clock", 18),
            ("fixed-window 5/s by node", 21),
            ("fixed-window 5/s or", 18),
            ("fixed-window 5/s and", 21),
            ("auto 5/s", 1),
            ("sliding-window 1.5/s", 16),
            ("sliding-window 9999999999/s", 16),
        ] {
            let refused = Promise::alternatives(text, DEFAULT).expect_err(text);
            assert_eq!(refused.column, column, "{text}: {refused}");
        }
    }
}
