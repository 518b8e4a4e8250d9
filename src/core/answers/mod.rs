//! What an answer means: allowed, blocked, or failed.
//!
//! [`Rules`] say which answers count as allowed and which as blocked, by status, header, or a value
//! in a JSON body. [`Answers`] is two of them made ready: a table by status says at once what most
//! answers mean, and for the others which rules are left to look at headers and body.

mod head;
mod header;
mod json;
mod kept;
mod number;
mod pointer;
mod reader;
mod rules;
mod status;

pub use head::Head;
pub(crate) use kept::KeptBody;
pub use reader::SyntaxError;
pub use rules::{Rule, Rules};

use crate::base::{FailureKind, Outcome};
use header::HeaderCondition;
use json::JsonCondition;
use rules::Condition;
use status::{STATUSES, Statuses};
use ureq::http::{HeaderMap, StatusCode};

/// Says what an answer means. A rule for blocked that fits wins over all for allowed; an answer that
/// none fits is failed.
#[derive(Debug)]
pub struct Answers {
    clauses: Vec<Clause>,
    /// Lists of places in `clauses`, each list once.
    open: Vec<Vec<usize>>,
    /// From the least of [`STATUSES`] on.
    by_status: Vec<ByStatus>,
}

#[derive(Debug, Clone, Copy)]
enum ByStatus {
    Decided(Outcome),
    /// By the first that holds of the clauses in this list of `open`.
    Open(usize),
}

/// A rule, its conditions in the order in which they can be told, and what it means if all hold.
#[derive(Debug)]
struct Clause {
    meaning: Outcome,
    statuses: Vec<Statuses>,
    headers: Vec<HeaderCondition>,
    json: Vec<JsonCondition>,
}

/// What the head of an answer says of it.
#[derive(Debug)]
pub(crate) enum ByHead<'a> {
    Decided(Outcome),
    /// It takes the body to tell.
    Open(Undecided<'a>),
}

#[derive(Debug)]
pub(crate) struct Undecided<'a> {
    answers: &'a Answers,
    clauses: &'a [usize],
    status: u16,
    headers: &'a HeaderMap,
}

impl Answers {
    pub fn new(allowed: &Rules, blocked: &Rules) -> Answers {
        let clauses = |rules: &Rules, meaning| {
            let rules = rules.0.iter();
            let mut clauses: Vec<_> = rules.map(|rule| Clause::new(rule, meaning)).collect();
            // Those of one meaning may come in any order: first what needs no body, or no look at all.
            clauses.sort_by_key(|clause| (clause.json.len(), clause.headers.len()));
            clauses
        };
        let mut answers = Answers {
            clauses: clauses(blocked, Outcome::Blocked),
            open: Vec::new(),
            by_status: Vec::new(),
        };
        answers.clauses.extend(clauses(allowed, Outcome::Allowed));
        answers.by_status = STATUSES.map(|status| answers.by_status(status)).collect();
        answers
    }

    fn by_status(&mut self, status: u16) -> ByStatus {
        let mut clauses = Vec::new();
        for (place, clause) in self.clauses.iter().enumerate() {
            if !clause.statuses.iter().all(|each| each.contains(status)) {
                continue;
            }
            clauses.push(place);
            if clause.is_by_status_alone() {
                break;
            }
        }
        match clauses[..] {
            [] => ByStatus::Decided(Outcome::Failed(FailureKind::of_status(status))),
            [only] if self.clauses[only].is_by_status_alone() => {
                ByStatus::Decided(self.clauses[only].meaning)
            }
            _ => ByStatus::Open(self.place_of(clauses)),
        }
    }

    fn place_of(&mut self, clauses: Vec<usize>) -> usize {
        let known = self.open.iter().position(|open| *open == clauses);
        known.unwrap_or_else(|| {
            self.open.push(clauses);
            self.open.len() - 1
        })
    }

    /// The headers are looked at only where the status leaves a rule that asks for one.
    pub(crate) fn by_head<'a>(&'a self, status: StatusCode, headers: &'a HeaderMap) -> ByHead<'a> {
        let status = status.as_u16();
        let open = match self.by_status[usize::from(status - STATUSES.start())] {
            ByStatus::Decided(outcome) => return ByHead::Decided(outcome),
            ByStatus::Open(place) => &self.open[place],
        };
        let clauses = || open.iter().map(|&place| &self.clauses[place]);
        match clauses().find(|clause| clause.headers_hold(headers)) {
            None => ByHead::Decided(turned_down(status)),
            Some(clause) if clause.json.is_empty() => ByHead::Decided(clause.meaning),
            Some(_) => ByHead::Open(Undecided {
                answers: self,
                clauses: open,
                status,
                headers,
            }),
        }
    }
}

impl Undecided<'_> {
    /// The outcome of the answer with this body.
    pub(crate) fn by_body(&self, body: &KeptBody) -> Outcome {
        let clauses = self
            .clauses
            .iter()
            .map(|&place| &self.answers.clauses[place]);
        for clause in clauses.filter(|clause| clause.headers_hold(self.headers)) {
            match body.bytes() {
                _ if clause.json.is_empty() => return clause.meaning,
                Some(body) if clause.json_holds(body) => return clause.meaning,
                // It may be blocked, so it is not allowed.
                None if clause.meaning == Outcome::Blocked => break,
                _ => {}
            }
        }
        turned_down(self.status)
    }
}

/// The outcome where no rule for the status fits the rest of the answer.
fn turned_down(status: u16) -> Outcome {
    Outcome::Failed(match status {
        200..=299 => FailureKind::Unmatched,
        _ => FailureKind::of_status(status),
    })
}

impl Clause {
    fn new(rule: &Rule, meaning: Outcome) -> Clause {
        let mut clause = Clause {
            meaning,
            statuses: Vec::new(),
            headers: Vec::new(),
            json: Vec::new(),
        };
        for condition in &rule.0 {
            match condition.clone() {
                Condition::Statuses(statuses) => clause.statuses.push(statuses),
                Condition::Header(header) => clause.headers.push(header),
                Condition::Json(json) => clause.json.push(json),
            }
        }
        clause
    }

    fn is_by_status_alone(&self) -> bool {
        self.headers.is_empty() && self.json.is_empty()
    }

    fn headers_hold(&self, headers: &HeaderMap) -> bool {
        self.headers.iter().all(|header| header.holds(headers))
    }

    /// What is not UTF-8 is not JSON either. A mark of it is passed over, as
    /// [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259), section 8.1, permits.
    fn json_holds(&self, body: &[u8]) -> bool {
        let text = std::str::from_utf8(body).ok();
        let text = text.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
        text.is_some_and(|text| self.json.iter().all(|json| json.holds(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::rules::arbitrary;
    use super::*;
    use proptest::prelude::*;
    use ureq::http::HeaderValue;

    fn outcome(answers: &Answers, status: u16, headers: &HeaderMap, body: &str) -> Outcome {
        let status = StatusCode::from_u16(status).unwrap();
        match answers.by_head(status, headers) {
            ByHead::Decided(outcome) => outcome,
            ByHead::Open(undecided) => {
                let mut kept = KeptBody::default();
                kept.push(body.as_bytes());
                undecided.by_body(&kept)
            }
        }
    }

    fn answers(allowed: &str, blocked: &str) -> Answers {
        Answers::new(&allowed.parse().unwrap(), &blocked.parse().unwrap())
    }

    fn failed(kind: FailureKind) -> Outcome {
        Outcome::Failed(kind)
    }

    #[test]
    fn what_no_rule_is_for_fails_by_its_status() {
        let answers = answers("200", "429");
        for status in STATUSES {
            let expected = match status {
                200 => Outcome::Allowed,
                429 => Outcome::Blocked,
                500..=599 => failed(FailureKind::Status5xx),
                _ => failed(FailureKind::StatusOther),
            };
            let seen = outcome(&answers, status, &HeaderMap::new(), "");
            assert_eq!(seen, expected, "{status}");
        }
        assert!(answers.open.is_empty());
    }

    #[test]
    fn a_success_that_headers_or_body_turn_down_is_told_apart() {
        for rule in [
            "json /ok = true",
            "header x-ok",
            "200-599 and header x-ok = 1",
        ] {
            let answers = answers(rule, "429");
            let seen = |status| outcome(&answers, status, &HeaderMap::new(), r#"{"ok":false}"#);
            assert_eq!(seen(200), failed(FailureKind::Unmatched), "{rule}");
            assert_eq!(seen(299), failed(FailureKind::Unmatched), "{rule}");
            assert_eq!(seen(300), failed(FailureKind::StatusOther), "{rule}");
            assert_eq!(seen(503), failed(FailureKind::Status5xx), "{rule}");
        }
    }

    #[test]
    fn where_both_fit_blocked_wins() {
        let by_status = answers("200-499", "429, 403");
        let by_body = answers("200", "json /over");
        let none = HeaderMap::new();
        assert_eq!(outcome(&by_status, 429, &none, ""), Outcome::Blocked);
        assert_eq!(outcome(&by_status, 403, &none, ""), Outcome::Blocked);
        assert_eq!(outcome(&by_status, 404, &none, ""), Outcome::Allowed);
        assert_eq!(
            outcome(&by_body, 200, &none, r#"{"over":0}"#),
            Outcome::Blocked
        );
        assert_eq!(outcome(&by_body, 200, &none, "{}"), Outcome::Allowed);
        assert_eq!(outcome(&by_body, 200, &none, "{"), Outcome::Allowed);
        let marked = "\u{feff}{\"over\":0}";
        assert_eq!(outcome(&by_body, 200, &none, marked), Outcome::Blocked);
    }

    #[test]
    fn what_is_too_long_to_rule_out_that_it_is_blocked_is_not_allowed() {
        let (none, long) = (HeaderMap::new(), " ".repeat(70_000));
        let seen = |allowed, blocked| outcome(&answers(allowed, blocked), 200, &none, &long);
        assert_eq!(seen("200", "json /over"), failed(FailureKind::Unmatched));
        assert_eq!(seen("200", "json /over, 200"), Outcome::Blocked);
        assert_eq!(seen("json /ok, 200", "429"), Outcome::Allowed);
        assert_eq!(seen("json /ok", "429"), failed(FailureKind::Unmatched));
        assert_eq!(seen("200", "header x and json /over"), Outcome::Allowed);
    }

    #[test]
    fn a_body_is_asked_for_only_where_it_may_decide() {
        let needs_body = |allowed, blocked, status| {
            let mut headers = HeaderMap::new();
            headers.insert("x", HeaderValue::from_static("1"));
            let answers = answers(allowed, blocked);
            let status = StatusCode::from_u16(status).unwrap();
            matches!(answers.by_head(status, &headers), ByHead::Open(_))
        };
        let json = "200 and json /a";
        for (allowed, blocked, status, needed) in [
            (json, "429", 200, true),
            (json, "429", 201, false),
            (json, "429", 429, false),
            ("200", json, 200, true),
            ("json /a, 200", "429", 200, false),
            (json, "json /b, 200", 200, false),
            (json, "json /b, header x", 200, false),
            ("header x, json /a", "429", 200, false),
            ("header y, json /a", "429", 200, true),
            ("header y and json /a", "429", 200, false),
            ("header x and json /a", "429", 200, true),
        ] {
            let case = format!("{allowed} | {blocked} | {status}");
            assert_eq!(needs_body(allowed, blocked, status), needed, "{case}");
        }
    }

    /// Rule by rule, from the first to the last, as it is explained to users.
    fn explained(
        allowed: &Rules,
        blocked: &Rules,
        status: u16,
        headers: &HeaderMap,
        body: &str,
    ) -> Outcome {
        let holds = |condition: &Condition| match condition {
            Condition::Statuses(statuses) => statuses.contains(status),
            Condition::Header(header) => header.holds(headers),
            Condition::Json(json) => json.holds(body),
        };
        let fits = |rules: &Rules| rules.0.iter().any(|rule| rule.0.iter().all(holds));
        let for_status = |rules: &Rules| {
            rules.0.iter().any(|rule| {
                let mut conditions = rule.0.iter();
                conditions.all(|condition| {
                    !matches!(condition, Condition::Statuses(_)) || holds(condition)
                })
            })
        };
        if fits(blocked) {
            Outcome::Blocked
        } else if fits(allowed) {
            Outcome::Allowed
        } else if (200..300).contains(&status) && (for_status(blocked) || for_status(allowed)) {
            failed(FailureKind::Unmatched)
        } else {
            failed(FailureKind::of_status(status))
        }
    }

    proptest! {
        #[test]
        fn the_tables_say_what_the_rules_say(
            allowed in arbitrary::rules(),
            blocked in arbitrary::rules(),
            status in STATUSES,
            header in proptest::option::of(("[a-c]", "[a-c]")),
            body in prop_oneof![
                Just("".to_owned()),
                Just(r#"{"a":{"b":1},"0":null}"#.to_owned()),
                Just("[[true],2.5]".to_owned()),
                arbitrary::text(),
            ],
        ) {
            let mut headers = HeaderMap::new();
            if let Some((name, value)) = header {
                headers.insert(name.parse::<ureq::http::HeaderName>().unwrap(), value.parse().unwrap());
            }
            let answers = Answers::new(&allowed, &blocked);
            prop_assert_eq!(
                outcome(&answers, status, &headers, &body),
                explained(&allowed, &blocked, status, &headers, &body)
            );
        }
    }
}
