//! Rules as they are typed: `200-299, 429 and header retry-after`.

use super::condition::{Condition, Needs, STATUSES};
use super::response::{Response, Unreadable};
use super::status::StatusCondition;
use super::words::{AND, peek_word};
use super::{body, header, json};
use crate::base::text::{Cursor, SyntaxError};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

/// Alternative rules: an answer has to fit one of them.
#[derive(Debug, Clone)]
pub struct Rules(pub(super) Vec<Rule>);

/// One or more conditions. All of them must hold.
#[derive(Debug, Clone)]
pub struct Rule {
    conditions: Vec<Arc<dyn Condition>>,
    /// The statuses that all conditions have in common. There is at least one.
    statuses: RangeInclusive<u16>,
}

type Read = fn(&mut Cursor) -> Result<Arc<dyn Condition>, SyntaxError>;

/// The kinds of conditions that begin with a word, each with the reader of its rest.
pub(super) const KINDS: [(&str, Read); 3] = [
    ("header", header::read),
    ("json", json::read),
    ("body", body::read),
];

impl Rules {
    /// The form of rules, as the end of a sentence that begins with the option.
    pub const FORM: &str = "must be rules such as 200-299, header NAME = VALUE, json /POINTER = VALUE, \
        body contains TEXT or body matches /PATTERN/, separated by commas, each one condition or several joined by and";
}

impl Rules {
    /// Whether the status of an answer is all that they look at.
    pub fn need_only_status(&self) -> bool {
        self.0.iter().all(|rule| rule.needs() == Needs::Status)
    }

    /// Whether any of them looks into the body of an answer.
    pub fn read_bodies(&self) -> bool {
        self.0.iter().any(|rule| rule.needs() == Needs::Body)
    }
}

impl FromIterator<Rules> for Rules {
    fn from_iter<I: IntoIterator<Item = Rules>>(parts: I) -> Self {
        Rules(parts.into_iter().flat_map(|part| part.0).collect())
    }
}

impl FromStr for Rules {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Rules, SyntaxError> {
        let mut cursor = Cursor::new(text);
        let mut rules = vec![Rule::read(&mut cursor)?];
        while cursor.takes(",") {
            rules.push(Rule::read(&mut cursor)?);
        }
        Ok(Rules(rules))
    }
}

impl Rule {
    /// Reads up to a comma or the end.
    fn read(cursor: &mut Cursor) -> Result<Rule, SyntaxError> {
        let mut rule = Rule {
            conditions: Vec::new(),
            statuses: STATUSES,
        };
        loop {
            let start = cursor.rest();
            let condition = read_condition(cursor)?;
            if !rule.add(condition.clone()) {
                let what = format!("no answer can meet {condition} and the conditions before it");
                return Err(start.error(what));
            }
            if cursor.is_at_end() || cursor.rest().text.starts_with(',') {
                return Ok(rule);
            }
            let word = cursor.take(peek_word(cursor));
            if word.text != AND {
                return Err(word.error("expected `and`, a comma or the end"));
            }
        }
    }

    /// Adds a condition, unless no status fits it and all others.
    fn add(&mut self, condition: Arc<dyn Condition>) -> bool {
        let (one, other) = (&self.statuses, condition.statuses());
        let common = *one.start().max(other.start())..=*one.end().min(other.end());
        let is_possible = !common.is_empty();
        if is_possible {
            self.statuses = common;
            self.conditions.push(condition);
        }
        is_possible
    }

    pub(super) fn is_for(&self, status: u16) -> bool {
        self.statuses.contains(&status)
    }

    /// The last part of an answer that must have been read to decide the rule.
    pub(super) fn needs(&self) -> Needs {
        let needs = self.conditions.iter().map(|condition| condition.needs());
        needs.max().unwrap_or(Needs::Status)
    }

    /// Whether all conditions hold that need no more than this part of an answer with a fitting status.
    ///
    /// # Errors
    /// It depends on a body that can't be read.
    pub(super) fn holds(&self, read: Needs, response: &Response) -> Result<bool, Unreadable> {
        let read = |condition: &&Arc<dyn Condition>| condition.needs() <= read;
        let mut holds = Ok(true);
        for condition in self.conditions.iter().filter(read) {
            match condition.holds(response) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(unreadable) => holds = Err(unreadable),
            }
        }
        holds
    }
}

fn read_condition(cursor: &mut Cursor) -> Result<Arc<dyn Condition>, SyntaxError> {
    let word = peek_word(cursor);
    if word.text.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(Arc::new(StatusCondition::read(cursor)?));
    }
    if let Some((_, read)) = KINDS.iter().find(|(name, _)| *name == word.text) {
        cursor.take(word);
        return read(cursor);
    }
    Err(match word.text {
        "" | AND => word.error("a condition is missing"),
        text => word.error(format!("{text} is not a condition")),
    })
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(&self.0, ", "))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(&self.conditions, " and "))
    }
}

fn joined(items: &[impl ToString], separator: &str) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    items.join(separator)
}

#[cfg(test)]
pub(super) mod arbitrary {
    use super::*;
    use crate::core::answers::body::BodyCondition;
    use crate::core::answers::header::HeaderCondition;
    use crate::core::answers::json::JsonCondition;
    use crate::core::answers::words::Comparison;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use regex::bytes::Regex;
    use serde_json::Value;
    use ureq::http::HeaderName;

    /// Among others, text that looks like something else.
    pub fn text() -> impl Strategy<Value = String> {
        const TRICKY: &str = "| |and|a and b|and a|a and|android|,|a,b|=|\"|\"a\"|a\"b|\\|true|null|\
            2|-0.0|1e400|[1]|{}|UNDER_LIMIT| x |~|~1|/|0|a\nb|a\u{2003}and\u{2003}b";
        let tricky: Vec<_> = TRICKY.split('|').collect();
        prop_oneof![
            proptest::sample::select(tricky).prop_map(str::to_owned),
            "[a-z ,=\"]{0,8}",
            any::<String>(),
        ]
    }

    fn scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (-3_i8..3).prop_map(|half| Value::from(f64::from(half) / 2.0)),
            text().prop_map(Value::from),
        ]
    }

    /// A JSON pointer: names with `/` before each.
    pub fn pointer() -> impl Strategy<Value = String> {
        let name = prop_oneof!["[ab]", "[0-2]", text()];
        let escaped = name.prop_map(|name| {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            format!("/{escaped}")
        });
        vec(escaped, 0..4).prop_map(|steps| steps.concat())
    }

    fn comparison() -> impl Strategy<Value = Comparison> {
        proptest::sample::select(&[Comparison::Equal, Comparison::Different][..])
    }

    fn condition() -> impl Strategy<Value = Arc<dyn Condition>> {
        prop_oneof![
            (STATUSES, STATUSES).prop_map(|(one, other)| {
                let statuses = one.min(other)..=one.max(other);
                Arc::new(StatusCondition(statuses)) as Arc<dyn Condition>
            }),
            ("[a-c]!?", option::of((comparison(), text()))).prop_map(|(name, value)| {
                let name = HeaderName::try_from(name).unwrap();
                Arc::new(HeaderCondition { name, value }) as Arc<dyn Condition>
            }),
            (pointer(), option::of((comparison(), scalar()))).prop_map(|(pointer, value)| {
                Arc::new(JsonCondition { pointer, value }) as Arc<dyn Condition>
            }),
            text()
                .prop_map(|text| { Arc::new(BodyCondition::Contains(text)) as Arc<dyn Condition> }),
            text().prop_map(|text| {
                let printable = text.replace(char::is_control, " ");
                let pattern = Regex::new(&regex::escape(&printable)).unwrap();
                Arc::new(BodyCondition::Matches(pattern)) as Arc<dyn Condition>
            }),
        ]
    }

    /// Up to three conditions, without those that exclude the ones before them.
    pub fn rules() -> impl Strategy<Value = Rules> {
        let rule = vec(condition(), 1..4).prop_map(|conditions| {
            let mut rule = Rule {
                conditions: Vec::new(),
                statuses: STATUSES,
            };
            for condition in conditions {
                rule.add(condition);
            }
            rule
        });
        vec(rule, 1..4).prop_map(Rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(typed: &str) -> Result<String, SyntaxError> {
        typed.parse().map(|rules: Rules| rules.to_string())
    }

    #[test]
    fn rules_are_displayed_in_one_form() {
        for (typed, written) in [
            ("200", "200"),
            (" 200 ,201-204,  207-207 ", "200, 201-204, 207"),
            ("100-999", "100-999"),
            ("header x", "header x"),
            ("header X-Over and 200", "header x-over and 200"),
            ("header X=a=b", "header x = a=b"),
            ("header x = max-age = 5, 429", "header x = max-age = 5, 429"),
            (r#"header x = "a, b and c""#, r#"header x = "a, b and c""#),
            (r#"header x = "plain""#, "header x = plain"),
            (r#"header x = """#, r#"header x = """#),
            ("header x = true", "header x = true"),
            ("header X! = 1", "header x! = 1"),
            ("header x != false", "header x != false"),
            ("header x !=\"a,b\"", "header x != \"a,b\""),
            ("json /error != \"\"", r#"json /error != """#),
            ("json /left != -1", "json /left != -1"),
            ("json /a", "json /a"),
            (r#"json """#, r#"json """#),
            ("json / = 1", "json / = 1"),
            ("json /a~1b/~0/0=x", "json /a~1b/~0/0 = x"),
            (r#"json "/a b/c=d" = 1"#, r#"json "/a b/c=d" = 1"#),
            (r#"json "/a""#, "json /a"),
            ("json /a = true and json /b", "json /a = true and json /b"),
            ("json /a = null", "json /a = null"),
            ("json /a = 2.0", "json /a = 2.0"),
            ("json /a = -0", "json /a = -0.0"),
            ("json /a = 1E3", "json /a = 1000.0"),
            ("json /a = 0.25", "json /a = 0.25"),
            (r#"json /a = "2""#, r#"json /a = "2""#),
            (r#"json /a = "true""#, r#"json /a = "true""#),
            (r#"json /a = "over""#, "json /a = over"),
            (r#"json /a = """#, r#"json /a = """#),
            ("json /a = command and 200", "json /a = command and 200"),
            ("json /a = brandy and\t200", "json /a = brandy and 200"),
            ("json /a = not JSON: {", "json /a = not JSON: {"),
            ("json /a = grün", "json /a = grün"),
            (r#"json /a = "\u00fc\n""#, r#"json /a = "ü\n""#),
            ("200 and json /a/0 = OVER", "200 and json /a/0 = OVER"),
        ] {
            let rules: Rules = typed.parse().unwrap_or_else(|e| panic!("{typed}: {e}"));
            assert_eq!(rules.to_string(), written, "{typed}");
        }
    }

    #[test]
    fn an_invalid_rule_is_refused_at_its_column() {
        for (typed, column, says) in [
            ("", 1, "a condition is missing"),
            ("  ", 3, "a condition is missing"),
            (",", 1, "a condition is missing"),
            ("200,", 5, "a condition is missing"),
            ("200,,201", 5, "a condition is missing"),
            ("200 and", 8, "a condition is missing"),
            ("200 and , 201", 9, "a condition is missing"),
            ("and 200", 1, "a condition is missing"),
            ("= 200", 1, "a condition is missing"),
            ("200 and jsn /a", 9, "jsn is not a condition"),
            ("-1", 1, "-1 is not a condition"),
            ("HEADER x", 1, "HEADER is not a condition"),
            ("größe, 200", 1, "größe is not a condition"),
            ("json /größe = 1, 2", 18, "2 is not a status"),
            ("99", 1, "99 is not a status"),
            ("1000", 1, "1000 is not a status"),
            ("0200", 1, "0200 is not a status"),
            ("2xx", 1, "2xx is not a status"),
            ("200-", 1, "200- is not a status"),
            ("200-1000", 1, "200-1000 is not a status"),
            ("200-201-202", 1, "200-201-202 is not a status"),
            ("429, 299-200", 6, "begins after its end"),
            ("200 201", 5, "`and`, a comma or the end"),
            ("200 or 201", 5, "`and`, a comma or the end"),
            ("200 - 201", 5, "`and`, a comma or the end"),
            ("header", 7, "a header's name is missing"),
            ("header = 1", 8, "a header's name is missing"),
            ("header a/b", 8, "a/b is not a header name"),
            ("header a b", 10, "`and`, a comma or the end"),
            ("header a =", 11, "a value is missing"),
            ("header a = , 200", 12, "a value is missing"),
            ("header a = and 200", 12, "a value is missing"),
            (r#"header a = "b"#, 12, "as in JSON"),
            (r#"header a = "b\x""#, 12, "as in JSON"),
            (r#"header a = "b" c"#, 16, "`and`, a comma or the end"),
            ("header a == b", 11, "one = is enough"),
            ("header a!=b", 8, "a blank must be before !="),
            ("json /a!=b", 6, "a blank must be before !="),
            ("header a !=", 12, "a value is missing"),
            ("header a !== b", 12, "one = is enough"),
            ("header a ! = b", 10, "`and`, a comma or the end"),
            ("header a = 'b'", 12, "quotes must be double quotes"),
            ("json /ok == true", 11, "one = is enough"),
            ("json /ok = 'true'", 12, "quotes must be double quotes"),
            ("200 and 201", 9, "no answer can meet 201 and"),
            ("200-299 and header x and 429", 26, "429 and the"),
            ("json", 5, "pointer is missing"),
            ("json = 1", 6, "pointer is missing"),
            ("json a", 6, "must begin with /"),
            (r#"json "a""#, 6, "must begin with /"),
            ("json /a~", 6, "~ must be followed by"),
            ("json /~2/~0", 6, "~ must be followed by"),
            ("json /a =", 10, "a value is missing"),
            ("json /a = 1e400", 11, "1e400 is a number out of range"),
            ("json /a = 1,500", 12, "a comma between two digits"),
            ("header a = 1,500", 13, "a comma between two digits"),
            ("json /a = []", 11, "is an array or an object"),
            ("json /a = {}", 11, "is an array or an object"),
        ] {
            let error = typed.parse::<Rules>().expect_err(typed);
            assert_eq!(error.column, column, "{typed}: {error}");
            assert!(error.message.contains(says), "{typed}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_displayed_rule_reads_back_as_itself(rules in arbitrary::rules()) {
            let written = rules.to_string();
            prop_assert!(!written.contains('\n'), "{}", written);
            prop_assert_eq!(&shown(&written), &Ok(written));
        }

        #[test]
        fn any_mixture_of_words_is_read_or_refused_at_a_column_within_it(
            pieces in proptest::collection::vec(
                prop_oneof![
                    proptest::sample::select(&[
                        "200", "429", "2", "-", "json", "header", "and", "/a", "x", "=", ",", " ",
                        " ", " ", "\"", "\\", "~", "é", "\u{2003}", "true", "[", "\0",
                    ][..]).prop_map(str::to_owned),
                    any::<char>().prop_map(String::from),
                ],
                0..12,
            ),
        ) {
            let typed = pieces.concat();
            match typed.parse::<Rules>() {
                Ok(rules) => prop_assert_eq!(shown(&rules.to_string()), Ok(rules.to_string())),
                Err(error) => prop_assert!(error.column <= typed.chars().count() + 1),
            }
        }
    }
}
