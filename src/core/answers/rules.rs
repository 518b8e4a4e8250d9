//! Rules as they are typed: `200-299, 429 and header retry-after`.

use super::header::HeaderCondition;
use super::json::JsonCondition;
use super::reader::{AND, Reader, SyntaxError};
use super::status::Statuses;
use std::fmt;
use std::str::FromStr;

/// Of which one is enough.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules(pub(super) Vec<Rule>);

/// At least one condition, of which all must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule(pub(super) Vec<Condition>);

/// One kind of condition is one file beside this, and one place in each match over these.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Statuses(Statuses),
    Header(HeaderCondition),
    Json(JsonCondition),
}

impl Rules {
    /// What they look like, as the end of a sentence that begins with the option.
    pub const FORM: &str = "must be rules such as 200-299, header NAME = VALUE or json /POINTER = VALUE, \
        separated by commas, each one condition or several joined by and";
}

impl FromIterator<Rules> for Rules {
    fn from_iter<I: IntoIterator<Item = Rules>>(parts: I) -> Self {
        Rules(parts.into_iter().flat_map(|part| part.0).collect())
    }
}

impl FromStr for Rules {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Rules, SyntaxError> {
        let mut reader = Reader::new(text);
        let mut rules = vec![Rule::read(&mut reader)?];
        while reader.take(',') {
            rules.push(Rule::read(&mut reader)?);
        }
        Ok(Rules(rules))
    }
}

impl Rule {
    /// Reads up to a comma or the end.
    fn read(reader: &mut Reader<'_>) -> Result<Rule, SyntaxError> {
        let mut conditions = vec![Condition::read(reader)?];
        while !matches!(reader.next(), None | Some(',')) {
            let place = reader.place();
            if reader.word() != AND {
                return Err(reader.error_at(place, "here must be `and`, a comma, or nothing"));
            }
            reader.skip_blanks();
            let place = reader.place();
            let condition = Condition::read(reader)?;
            if conditions.iter().any(|other| other.excludes(&condition)) {
                let what = format!("{condition} and what stands before never hold together");
                return Err(reader.error_at(place, what));
            }
            conditions.push(condition);
        }
        Ok(Rule(conditions))
    }
}

impl Condition {
    fn read(reader: &mut Reader<'_>) -> Result<Condition, SyntaxError> {
        if reader.next().is_some_and(|c| c.is_ascii_digit()) {
            return Statuses::read(reader).map(Condition::Statuses);
        }
        let place = reader.place();
        match reader.word() {
            "header" => HeaderCondition::read(reader).map(Condition::Header),
            "json" => JsonCondition::read(reader).map(Condition::Json),
            "" | AND => Err(reader.error_at(place, "a condition is missing")),
            word => Err(reader.error_at(place, format!("{word} is no condition"))),
        }
    }
}

impl Condition {
    /// Whether no answer has both.
    fn excludes(&self, other: &Condition) -> bool {
        match (self, other) {
            (Condition::Statuses(one), Condition::Statuses(other)) => !one.overlaps(other),
            _ => false,
        }
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_joined(f, &self.0, ", ")
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_joined(f, &self.0, " and ")
    }
}

fn write_joined(
    f: &mut fmt::Formatter<'_>,
    items: &[impl fmt::Display],
    separator: &str,
) -> fmt::Result {
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Statuses(statuses) => statuses.fmt(f),
            Condition::Header(header) => header.fmt(f),
            Condition::Json(json) => json.fmt(f),
        }
    }
}

#[cfg(test)]
pub(super) mod arbitrary {
    use super::*;
    use crate::core::answers::json::Scalar;
    use crate::core::answers::status::STATUSES;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use ureq::http::HeaderName;

    /// Among others, text that looks like something else.
    pub fn text() -> impl Strategy<Value = String> {
        const TRICKY: &[&str] = &[
            "",
            " ",
            "and",
            "a and b",
            "and a",
            "a and",
            "android",
            ",",
            "a,b",
            "=",
            "\"",
            "\"a\"",
            "a\"b",
            "\\",
            "true",
            "null",
            "2",
            "-0.0",
            "1e400",
            "[1]",
            "{}",
            "UNDER_LIMIT",
            " x ",
            "a\nb",
            "a\u{2003}and\u{2003}b",
            "~",
            "~1",
            "/",
            "0",
        ];
        prop_oneof![
            proptest::sample::select(TRICKY).prop_map(str::to_owned),
            "[a-z ,=\"]{0,8}",
            any::<String>(),
        ]
    }

    fn scalar() -> impl Strategy<Value = Scalar> {
        prop_oneof![
            Just(Scalar::Null),
            any::<bool>().prop_map(Scalar::Boolean),
            any::<i64>().prop_map(|whole| Scalar::Number(whole.into())),
            any::<u64>().prop_map(|whole| Scalar::Number(whole.into())),
            any::<f64>().prop_map(|value| Scalar::Number(value.into())),
            (-3_i8..3).prop_map(|half| Scalar::Number((f64::from(half) / 2.0).into())),
            text().prop_map(Scalar::Text),
        ]
    }

    /// As a pointer has it: names with `/` before each.
    pub fn pointer() -> impl Strategy<Value = String> {
        let name = prop_oneof!["[ab]", "[0-2]", text()];
        let escaped = name.prop_map(|name| {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            format!("/{escaped}")
        });
        vec(escaped, 0..4).prop_map(|steps| steps.concat())
    }

    fn condition() -> impl Strategy<Value = Condition> {
        prop_oneof![
            (STATUSES, STATUSES).prop_map(|(one, other)| {
                Condition::Statuses(Statuses(one.min(other)..=one.max(other)))
            }),
            ("[a-c]", option::of(text())).prop_map(|(name, value)| {
                let name = HeaderName::try_from(name).unwrap();
                Condition::Header(HeaderCondition { name, value })
            }),
            (pointer(), option::of(scalar())).prop_map(|(pointer, value)| {
                let pointer = pointer.parse().unwrap();
                Condition::Json(JsonCondition { pointer, value })
            }),
        ]
    }

    pub fn rules() -> impl Strategy<Value = Rules> {
        let possible = |conditions: &Vec<Condition>| {
            let mut pairs = conditions
                .iter()
                .flat_map(|one| conditions.iter().map(move |other| (one, other)));
            !pairs.any(|(one, other)| one.excludes(other))
        };
        let conditions = vec(condition(), 1..4);
        let rule = conditions
            .prop_filter("statuses that overlap", possible)
            .prop_map(Rule);
        vec(rule, 1..4).prop_map(Rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules_are_read_and_written_in_one_form() {
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
            ("json /a", "json /a"),
            (r#"json """#, r#"json """#),
            ("json / = 1", "json / = 1"),
            ("json /a~1b/~0/0=x", "json /a~1b/~0/0 = x"),
            (r#"json "/a b/c=d" = 1"#, r#"json "/a b/c=d" = 1"#),
            (r#"json "/a""#, "json /a"),
            (
                "json /a = true and json /b = null",
                "json /a = true and json /b = null",
            ),
            ("json /a = 2.0", "json /a = 2"),
            ("json /a = -0", "json /a = 0"),
            ("json /a = 1E3", "json /a = 1000"),
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
            (
                "200 and json /responses/0/status = UNDER_LIMIT",
                "200 and json /responses/0/status = UNDER_LIMIT",
            ),
        ] {
            let rules: Rules = typed.parse().unwrap_or_else(|e| panic!("{typed}: {e}"));
            assert_eq!(rules.to_string(), written, "{typed}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_at_its_column() {
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
            ("200 and jsn /a", 9, "jsn is no condition"),
            ("-1", 1, "-1 is no condition"),
            ("HEADER x", 1, "HEADER is no condition"),
            ("größe, 200", 1, "größe is no condition"),
            ("json /größe = 1, 2", 18, "2 is no status"),
            ("99", 1, "99 is no status"),
            ("1000", 1, "1000 is no status"),
            ("0200", 1, "0200 is no status"),
            ("2xx", 1, "2xx is no status"),
            ("200-", 1, "200- is no status"),
            ("200-1000", 1, "200-1000 is no status"),
            ("200-201-202", 1, "200-201-202 is no status"),
            ("429, 299-200", 6, "begins after its end"),
            ("200 201", 5, "`and`, a comma"),
            ("200 or 201", 5, "`and`, a comma"),
            ("200 - 201", 5, "`and`, a comma"),
            ("header", 7, "a header's name is missing"),
            ("header = 1", 8, "a header's name is missing"),
            ("header a/b", 8, "a/b is no header's name"),
            ("header a b", 10, "`and`, a comma"),
            ("header a =", 11, "a value is missing"),
            ("header a = , 200", 12, "a value is missing"),
            ("header a = and 200", 12, "a value is missing"),
            (r#"header a = "b"#, 12, "as in JSON"),
            (r#"header a = "b\x""#, 12, "as in JSON"),
            (r#"header a = "b" c"#, 16, "`and`, a comma"),
            ("header a == b", 11, "one = is enough"),
            ("header a = 'b'", 12, "quotes are double ones"),
            ("json /ok == true", 11, "one = is enough"),
            ("json /ok = 'true'", 12, "quotes are double ones"),
            (
                "200 and 201",
                9,
                "201 and what stands before never hold together",
            ),
            (
                "200-299 and header x and 429",
                26,
                "429 and what stands before",
            ),
            ("json", 5, "pointer is missing"),
            ("json = 1", 6, "pointer is missing"),
            ("json a", 6, "must begin with /"),
            (r#"json "a""#, 6, "must begin with /"),
            ("json /a~", 6, "~ must be followed by"),
            ("json /~2/~0", 6, "~ must be followed by"),
            ("json /a =", 10, "a value is missing"),
            ("json /a = 1e400", 11, "1e400 is a number out of range"),
            ("json /a = []", 11, "is an array or an object"),
            ("json /a = {}", 11, "is an array or an object"),
        ] {
            let error = typed.parse::<Rules>().expect_err(typed);
            assert_eq!(error.column, column, "{typed}: {error}");
            assert!(error.what.contains(says), "{typed}: {error}");
        }
        let deep = format!("json {}", "/a".repeat(33));
        let error = deep.parse::<Rules>().unwrap_err();
        assert!(error.what.contains("at most 32 deep"), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(rules in arbitrary::rules()) {
            let written = rules.to_string();
            prop_assert!(!written.contains('\n'), "{}", written);
            prop_assert_eq!(written.parse(), Ok(rules), "{}", written);
        }

        #[test]
        fn no_text_is_too_much(typed in any::<String>()) {
            let _ = typed.parse::<Rules>();
        }

        #[test]
        fn no_mixture_of_what_rules_are_made_of_is_too_much(
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
                Ok(rules) => prop_assert_eq!(rules.to_string().parse(), Ok(rules)),
                Err(error) => prop_assert!(error.column <= typed.chars().count() + 1),
            }
        }
    }
}
