//! Generators that every kind of input shares: how many inputs to try, and how a valid one becomes a mangled one.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::Config;

/// One case in `share` of those that `PROPTEST_CASES` asks for, at least 8.
pub fn one_in(share: u32) -> Config {
    let config = Config::default();
    Config {
        cases: (config.cases / share).max(8),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..config
    }
}

/// Words that are wrong almost everywhere, or at the edge of what is allowed.
const NASTY: &[&str] = &[
    "",
    " ",
    "0",
    "-0",
    "-1",
    "1",
    "00",
    "+1",
    ".",
    "..",
    "1.",
    ".5",
    "1,5",
    "1,000",
    "1e3",
    "1e300",
    "1e-300",
    "1e400",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "infinity",
    "0x10",
    "18446744073709551615",
    "18446744073709551616",
    "4294967296",
    "9223372036854775808",
    "99999999999999999999999999999999999999999",
    "0.0000000000000000000000000000001",
    "3650d",
    "3651d",
    "1ms",
    "1ns",
    "0s",
    "1e18",
    "1h30m",
    "1h -30m",
    "5 s",
    "100%",
    "-5%",
    "1000%",
    "/",
    "//",
    "\\",
    "'",
    "\"",
    "\"\"",
    "{",
    "}",
    "{{",
    "{key}",
    "{nope}",
    "{key",
    "=",
    "==",
    ":",
    ";",
    ",",
    ",,",
    "|",
    "±",
    "+-",
    "-",
    "--",
    "é",
    "ß",
    "\u{0}",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\n",
    "\r\n",
    "\t",
    "\u{a0}",
    "\u{2028}",
    "\u{202e}",
    "\u{feff}",
    "😀",
    "and",
    "or",
    "between",
    "repeat",
    "times",
    "for",
    "to",
    "over",
    "%s",
    "$(x)",
    "<b>",
    "http://",
    "::1",
    "[::1]:1",
    "true",
    "auto",
    "off",
    "unlimited",
    "burst",
    "cost 5",
];

pub fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(NASTY).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[0-9]{1,40}",
        1 => "[0-9]{0,3}[.,][0-9]{0,30}",
        1 => ("[a-z0-9é ]{1,3}", 100_usize..3000).prop_map(|(text, times)| text.repeat(times)),
    ]
}

/// One change of a text, at places in characters.
#[derive(Debug, Clone)]
enum Edit {
    Insert(Index, String),
    Replace(Index, Index, String),
    Repeat(Index, Index, usize),
    Cut(Index),
}

impl Edit {
    fn apply(&self, text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let place = |at: &Index| at.index(chars.len() + 1);
        let string = |chars: &[char]| chars.iter().collect::<String>();
        let range = |one: &Index, other: &Index| {
            let (one, other) = (place(one), place(other));
            // Most changes are small.
            let (from, to) = (one.min(other), one.max(other));
            (from, to.min(from + 12))
        };
        match self {
            Edit::Insert(at, word) => {
                let at = place(at);
                string(&chars[..at]) + word + &string(&chars[at..])
            }
            Edit::Replace(one, other, word) => {
                let (from, to) = range(one, other);
                string(&chars[..from]) + word + &string(&chars[to..])
            }
            Edit::Repeat(one, other, times) => {
                let (from, to) = range(one, other);
                string(&chars[..to])
                    + &string(&chars[from..to]).repeat(*times)
                    + &string(&chars[to..])
            }
            Edit::Cut(at) => string(&chars[..place(at)]),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), nasty()).prop_map(|(at, word)| Edit::Insert(at, word)),
        3 => (at(), at(), nasty()).prop_map(|(from, to, word)| Edit::Replace(from, to, word)),
        1 => (at(), at()).prop_map(|(from, to)| Edit::Replace(from, to, String::new())),
        1 => (at(), at(), 1_usize..40).prop_map(|(from, to, times)| Edit::Repeat(from, to, times)),
        1 => at().prop_map(Edit::Cut),
    ]
}

/// A text with one to three changes.
pub fn mangled(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (text, vec(edit(), 1..4))
        .prop_map(|(text, edits)| edits.iter().fold(text, |text, edit| edit.apply(&text)))
}

/// A text as it is, or changed, or something else altogether.
pub fn either(text: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = String> {
    prop_oneof![
        2 => text.clone(),
        6 => mangled(text),
        1 => nasty(),
        1 => vec(nasty(), 1..6).prop_map(|words| words.join(" ")),
    ]
}
