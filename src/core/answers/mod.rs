//! The rules that say whether an answer means allowed, blocked or failed.
//!
//! [`Rules`] say which answers count as allowed and which as blocked, by status, header, or body.
//! [`Answers`] applies both. A table by status decides most answers at once, and only the others need their headers or
//! bodies read.
//!
//! Further [`Rules`] say which of the allowed answers are those of a limiter that fails open: it could not decide, and let
//! the request pass.

mod body;
mod condition;
mod encoding;
mod excerpt;
mod head;
mod header;
mod json;
mod kept;
mod response;
mod rules;
mod status;
mod words;

pub use excerpt::{EXCERPT, excerpt, raw_excerpt};
pub use head::Head;
pub(crate) use kept::KeptBody;
pub use rules::{Rule, Rules};

use crate::base::{FailureKind, Outcome};
use condition::{Needs, STATUSES};
use response::{Response, Unreadable};

/// Says what an answer means. A rule for blocked wins over all rules for allowed, and an answer that fits no rule is
/// failed.
#[derive(Debug)]
pub struct Answers {
    /// Rules with the outcome of an answer that fits. The first one that fits counts.
    rules: Vec<(Rule, Outcome)>,
    /// The outcome for each of [`STATUSES`], if headers and body can't change it.
    by_status: Vec<Option<Outcome>>,
    /// An allowed answer that fits one of these says that the limiter fails open.
    failing_open: Vec<Rule>,
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub outcome: Outcome,
    /// The answer is allowed, and says that the limiter fails open.
    pub failing_open: bool,
}

impl From<Outcome> for Meaning {
    fn from(outcome: Outcome) -> Meaning {
        Meaning {
            outcome,
            failing_open: false,
        }
    }
}

/// The meaning of an answer whose status and headers have been read.
#[derive(Debug)]
pub(crate) enum ByHead<'a> {
    Decided(Meaning),
    /// The meaning depends on the body.
    Open(Undecided<'a>),
}

#[derive(Debug)]
pub(crate) struct Undecided<'a> {
    answers: &'a Answers,
    head: &'a Head,
    /// `None` if it depends on the body.
    outcome: Option<Outcome>,
}

/// The header with which nodes of this project's limiter, and others, say that they fail open. It has the name of the
/// counter that Envoy's rate-limit filter raises then; Envoy itself sends no header.
pub const FAILING_OPEN_HEADER: &str = "x-ratelimit-failure-mode-allowed";

/// The rules by which an allowed answer says that the limiter fails open, unless others are given.
pub const FAILING_OPEN: &str = "header x-ratelimit-failure-mode-allowed != false";

impl Answers {
    pub fn new(allowed: &Rules, blocked: &Rules) -> Answers {
        let mut rules = Vec::new();
        for (alternatives, outcome) in [(blocked, Outcome::Blocked), (allowed, Outcome::Allowed)] {
            let mut alternatives = alternatives.0.clone();
            // The order does not change the outcome, so the cheapest conditions come first.
            alternatives.sort_by_key(Rule::needs);
            rules.extend(alternatives.into_iter().map(|rule| (rule, outcome)));
        }
        let by_status = STATUSES.map(|status| by_status_alone(&rules, status));
        Answers {
            by_status: by_status.collect(),
            rules,
            failing_open: Vec::new(),
        }
    }

    /// The same with rules by which an allowed answer says that the limiter fails open. Without them, none does.
    #[must_use]
    pub fn with_failing_open(self, rules: &Rules) -> Answers {
        let mut failing_open = rules.0.clone();
        // The cheapest conditions come first.
        failing_open.sort_by_key(Rule::needs);
        Answers {
            failing_open,
            ..self
        }
    }

    /// The outcome of an answer of which only the status is known. `None` if that is no status, or if the outcome depends
    /// on more.
    pub fn by_status(&self, status: u16) -> Option<Outcome> {
        let place = status.checked_sub(*STATUSES.start())?;
        *self.by_status.get(usize::from(place))?
    }

    /// The rules for allowed and blocked that fit an answer, as far as its head decides.
    fn candidates<'a>(&'a self, head: &'a Head) -> impl Iterator<Item = &'a (Rule, Outcome)> {
        let fits = fits(head);
        self.rules.iter().filter(move |(rule, _)| fits(rule))
    }

    /// The meaning by status and headers. For the outcome, the headers are read only if the status does not decide it.
    /// Whether the limiter fails open is looked up only in an allowed answer.
    pub(crate) fn by_head<'a>(&'a self, head: &'a Head) -> ByHead<'a> {
        let outcome = self.outcome_by_head(head);
        let failing_open = match outcome {
            Some(Outcome::Allowed) => self.failing_open_by_head(head),
            _ => Some(false),
        };
        match (outcome, failing_open) {
            (Some(outcome), Some(failing_open)) => ByHead::Decided(Meaning {
                outcome,
                failing_open,
            }),
            _ => ByHead::Open(Undecided {
                answers: self,
                head,
                outcome,
            }),
        }
    }

    /// `None` if the outcome depends on the body.
    fn outcome_by_head(&self, head: &Head) -> Option<Outcome> {
        let status = head.status.as_u16();
        let by_status = self.by_status[usize::from(status - STATUSES.start())];
        by_status.or_else(|| match self.candidates(head).next() {
            None => Some(unmatched(status)),
            Some((rule, outcome)) if rule.needs() < Needs::Body => Some(*outcome),
            Some(_) => None,
        })
    }

    /// Whether an allowed answer says that the limiter fails open. `None` if that depends on the body.
    fn failing_open_by_head(&self, head: &Head) -> Option<bool> {
        let fits = fits(head);
        match self.failing_open.iter().find(|rule| fits(rule)) {
            None => Some(false),
            Some(rule) => (rule.needs() < Needs::Body).then_some(true),
        }
    }
}

/// Whether a rule fits an answer, as far as its head decides.
fn fits(head: &Head) -> impl Fn(&Rule) -> bool {
    let status = head.status.as_u16();
    let response = Response::without_body(&head.headers);
    move |rule| rule.is_for(status) && rule.holds(Needs::Headers, &response) == Ok(true)
}

impl Undecided<'_> {
    /// The meaning of the answer with this body.
    pub(crate) fn by_body(&self, body: &KeptBody) -> Meaning {
        let headers = &self.head.headers;
        let body = body.bytes();
        let body = body.and_then(|body| encoding::decoded(body, headers));
        let response = Response::with_body(headers, body.as_deref());
        let outcome = self.outcome.unwrap_or_else(|| self.outcome(&response));
        let status = self.head.status.as_u16();
        let mut rules = self.answers.failing_open.iter();
        Meaning {
            outcome,
            failing_open: outcome == Outcome::Allowed
                && rules.any(|rule| {
                    rule.is_for(status) && rule.holds(Needs::Body, &response) == Ok(true)
                }),
        }
    }

    fn outcome(&self, response: &Response) -> Outcome {
        for (rule, outcome) in self.answers.candidates(self.head) {
            match rule.holds(Needs::Body, response) {
                Ok(true) => return *outcome,
                // The body may fit this rule, so the answer can't count as allowed.
                Err(Unreadable) if *outcome == Outcome::Blocked => break,
                Ok(false) | Err(Unreadable) => {}
            }
        }
        unmatched(self.head.status.as_u16())
    }
}

/// The outcome of every answer with this status, if it does not depend on headers or body.
fn by_status_alone(rules: &[(Rule, Outcome)], status: u16) -> Option<Outcome> {
    match rules.iter().find(|(rule, _)| rule.is_for(status)) {
        None => Some(Outcome::Failed(FailureKind::of_status(status))),
        Some((rule, outcome)) if rule.needs() == Needs::Status => Some(*outcome),
        Some(_) => None,
    }
}

/// The outcome if there are rules for the status, and none of them fits the rest of the answer.
fn unmatched(status: u16) -> Outcome {
    Outcome::Failed(match status {
        200..=299 => FailureKind::Unmatched,
        _ => FailureKind::of_status(status),
    })
}

#[cfg(test)]
mod tests {
    use super::rules::arbitrary;
    use super::*;
    use proptest::prelude::*;
    use ureq::http::{HeaderMap, HeaderValue, StatusCode, Version};

    fn head(status: u16, headers: &HeaderMap) -> Head {
        Head {
            version: Version::HTTP_11,
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.clone(),
        }
    }

    fn outcome(answers: &Answers, status: u16, headers: &HeaderMap, body: &str) -> Outcome {
        meaning(answers, status, headers, body).outcome
    }

    fn meaning(answers: &Answers, status: u16, headers: &HeaderMap, body: &str) -> Meaning {
        match answers.by_head(&head(status, headers)) {
            ByHead::Decided(meaning) => meaning,
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
    fn an_answer_that_no_rule_is_for_fails_by_its_status() {
        let answers = answers("200", "429");
        for status in STATUSES {
            let expected = match status {
                200 => Outcome::Allowed,
                429 => Outcome::Blocked,
                500..=599 => failed(FailureKind::Status5xx),
                _ => failed(FailureKind::StatusOther),
            };
            let actual = outcome(&answers, status, &HeaderMap::new(), "");
            assert_eq!(actual, expected, "{status}");
        }
        assert!(answers.by_status.iter().all(Option::is_some));
    }

    #[test]
    fn a_success_that_headers_or_body_do_not_fit_is_unmatched() {
        for rule in ["json /ok = true", "header x-ok", "200-599 and header x = 1"] {
            let answers = answers(rule, "429");
            let actual = |status| outcome(&answers, status, &HeaderMap::new(), r#"{"ok":false}"#);
            assert_eq!(actual(200), failed(FailureKind::Unmatched), "{rule}");
            assert_eq!(actual(299), failed(FailureKind::Unmatched), "{rule}");
            assert_eq!(actual(300), failed(FailureKind::StatusOther), "{rule}");
            assert_eq!(actual(503), failed(FailureKind::Status5xx), "{rule}");
        }
    }

    #[test]
    fn blocked_wins_if_both_fit() {
        let by_status = answers("200-499", "429, 403");
        let by_body = answers("200", "json /over");
        let none = HeaderMap::new();
        assert_eq!(outcome(&by_status, 429, &none, ""), Outcome::Blocked);
        assert_eq!(outcome(&by_status, 403, &none, ""), Outcome::Blocked);
        assert_eq!(outcome(&by_status, 404, &none, ""), Outcome::Allowed);
        for (body, expected) in [
            (r#"{"over":0}"#, Outcome::Blocked),
            ("\u{feff}{\"over\":0}", Outcome::Blocked),
            ("{}", Outcome::Allowed),
            ("{", Outcome::Allowed),
        ] {
            assert_eq!(outcome(&by_body, 200, &none, body), expected);
        }
    }

    #[test]
    fn a_body_too_long_to_look_into_is_not_allowed_if_it_may_be_blocked() {
        let (none, long) = (HeaderMap::new(), " ".repeat(70_000));
        let actual = |allowed, blocked| outcome(&answers(allowed, blocked), 200, &none, &long);
        assert_eq!(actual("200", "json /over"), failed(FailureKind::Unmatched));
        assert_eq!(actual("200", "json /over, 200"), Outcome::Blocked);
        assert_eq!(actual("json /ok, 200", "429"), Outcome::Allowed);
        assert_eq!(actual("json /ok", "429"), failed(FailureKind::Unmatched));
        assert_eq!(actual("200", "header x and json /over"), Outcome::Allowed);
    }

    #[test]
    fn a_json_body_that_can_not_be_read_is_not_allowed_if_it_may_be_blocked() {
        let deep = ["[".repeat(200), "]".repeat(200)].concat();
        for body in [r#"{"over":true,"reset":1e400}"#, &deep] {
            let actual = |blocked| outcome(&answers("200", blocked), 200, &HeaderMap::new(), body);
            assert_eq!(actual("json /over"), failed(FailureKind::Unmatched));
            assert_eq!(actual("429"), Outcome::Allowed);
        }
        let text = outcome(
            &answers("200", "json /over"),
            200,
            &HeaderMap::new(),
            "no JSON",
        );
        assert_eq!(text, Outcome::Allowed);
    }

    #[test]
    fn a_body_is_kept_only_if_it_may_decide() {
        let needs_body = |allowed, blocked, status| {
            let mut headers = HeaderMap::new();
            headers.insert("x", HeaderValue::from_static("1"));
            let answers = answers(allowed, blocked);
            matches!(answers.by_head(&head(status, &headers)), ByHead::Open(_))
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

    #[test]
    fn only_an_allowed_answer_that_fits_says_that_the_limiter_fails_open() {
        let of = |rules: &str, status, mark: Option<&'static str>, body: &str| {
            let mut headers = HeaderMap::new();
            if let Some(mark) = mark {
                headers.insert(FAILING_OPEN_HEADER, HeaderValue::from_static(mark));
            }
            let answers = answers("200, 201 and json /ok", "429");
            let answers = answers.with_failing_open(&rules.parse().unwrap());
            meaning(&answers, status, &headers, body).failing_open
        };
        let json = r#"{"ok":1,"degraded":true}"#;
        for (rules, status, mark, body, expected) in [
            (FAILING_OPEN, 200, Some("true"), "", true),
            (FAILING_OPEN, 200, Some("1"), "", true),
            (FAILING_OPEN, 200, Some("false"), "", false),
            (FAILING_OPEN, 200, None, "", false),
            (FAILING_OPEN, 429, Some("true"), "", false),
            (FAILING_OPEN, 503, Some("true"), "", false),
            (FAILING_OPEN, 201, Some("true"), json, true),
            (FAILING_OPEN, 201, Some("true"), "{}", false),
            ("json /degraded = true", 200, None, json, true),
            ("json /degraded = true", 200, None, "", false),
            ("json /degraded = true", 201, None, json, true),
            ("json /degraded = true", 429, None, json, false),
            ("201", 201, None, json, true),
            ("201", 200, None, json, false),
        ] {
            let case = format!("{rules} | {status} | {mark:?} | {body}");
            assert_eq!(of(rules, status, mark, body), expected, "{case}");
        }
        assert!(!of("body contains x", 200, None, &"x".repeat(70_000)));
        let unmarked = answers("200", "429");
        let mut headers = HeaderMap::new();
        headers.insert(FAILING_OPEN_HEADER, HeaderValue::from_static("true"));
        assert!(!meaning(&unmarked, 200, &headers, "").failing_open);
    }

    #[test]
    fn a_body_is_kept_for_a_mark_only_if_the_answer_is_allowed_and_nothing_before_it_decides() {
        let needs_body = |rules: &str, status| {
            let mut headers = HeaderMap::new();
            headers.insert("x", HeaderValue::from_static("1"));
            let answers = answers("200", "429").with_failing_open(&rules.parse().unwrap());
            matches!(answers.by_head(&head(status, &headers)), ByHead::Open(_))
        };
        for (rules, status, needed) in [
            (FAILING_OPEN, 200, false),
            ("json /a", 200, true),
            ("json /a", 429, false),
            ("json /a", 503, false),
            ("json /a, header x", 200, false),
            ("json /a, header y", 200, true),
            ("json /a and header y", 200, false),
        ] {
            assert_eq!(needs_body(rules, status), needed, "{rules} | {status}");
        }
    }

    /// The outcome by trying rule after rule, as the documentation describes it.
    fn explained(
        allowed: &Rules,
        blocked: &Rules,
        status: u16,
        headers: &HeaderMap,
        body: &str,
    ) -> Outcome {
        let response = Response::with_body(headers, Some(body.as_bytes()));
        let for_status = |rules: &Rules| rules.0.iter().any(|rule| rule.is_for(status));
        let fits = |rules: &Rules| {
            let mut rules = rules.0.iter();
            rules.any(|rule| rule.is_for(status) && rule.holds(Needs::Body, &response) == Ok(true))
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
        fn the_table_by_status_says_what_the_rules_say(
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
            // Nothing follows from the rules alone for JSON that can't be read.
            prop_assume!(response::parse_json(body.as_bytes()).is_ok());
            prop_assert_eq!(
                outcome(&answers, status, &headers, &body),
                explained(&allowed, &blocked, status, &headers, &body)
            );
        }
    }
}
