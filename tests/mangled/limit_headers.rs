//! The headers with which answers report the limit, as the audit's probe reads them: any header is read, and what the probe
//! reports of it is one bounded line without numbers that nobody sent.

use crate::cost::within;
use crate::mangling::{either, one_in};
use crate::refusals::check_line;
use loadgen::base::Nanos;
use loadgen::core::audit::probe::{LimitHeaders, Probe, ProbeRequest, Reply, To};
use loadgen::core::audit::{Decision, Terms};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

const SECOND: u64 = 1_000_000_000;

fn header() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let value = select(
        &[
            "0",
            "1",
            "60",
            "1735689600",
            "1735689600000",
            "-1",
            "0.5",
            "Fri, 27 Nov 2026 12:00:00 GMT",
            "100;w=60",
            "\"default\";r=5;t=30",
            "default;r=0;t=18446744073709551615",
            "\"a\";q=100;w=60, \"b\";q=5;w=1",
            "limit=100, remaining=5, reset=30",
            "99999999999999999999999999999",
            "100, 100;w=60;burst=5",
            "",
            "Fri, 31 Feb 2026 12:00:00 GMT",
            "Thu, 01 Jan 9999 00:00:00 GMT",
            "2026-11-27T12:00:00Z",
        ][..],
    );
    let text = either(value.prop_map(str::to_owned).boxed()).prop_map(String::into_bytes);
    let value = prop_oneof![8 => text, 1 => vec(any::<u8>(), 0..40)];
    let name = select(
        &[
            "retry-after",
            "ratelimit",
            "ratelimit-policy",
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
            "x-ratelimit-policy",
            "date",
        ][..],
    );
    (name, value)
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    vec(header(), 0..7).prop_map(|headers| {
        let fields = headers.into_iter().filter_map(|(name, value)| {
            let value = HeaderValue::from_bytes(&value).ok()?;
            Some((HeaderName::from_static(name), value))
        });
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(name, value);
        }
        map
    })
}

proptest! {
    #![proptest_config(one_in(2))]

    #[test]
    fn a_probe_reports_any_header_in_bounded_lines(
        answers in vec((headers(), select(&[Decision::Allowed, Decision::Blocked, Decision::Failed, Decision::Unanswered][..])), 1..5),
        limit in 1_u64..6, targets in 1_usize..4, seconds in 1_u64..90, steps in 1_usize..80
    ) {
        let input = format!("{answers:?}");
        let terms = Terms::of_all_promises(limit, Nanos(seconds * SECOND), targets);
        let lines = within(3, 64, &input, || {
            let read: Vec<_> = answers.iter().map(|(headers, _)| LimitHeaders::of(headers)).collect();
            let mut probe = Probe::new(terms, 1);
            let (mut now, mut asked) = (Nanos::ZERO, 0);
            for _ in 0..steps {
                let Some(question) = probe.next() else {
                    break;
                };
                now = now.max(question.at) + Nanos(1_000_000);
                let places = match question.to {
                    To::All => 0..targets,
                    To::One(target) => target..target + 1,
                };
                let replies: Vec<_> = places.zip(question.sequence..).map(|(target, sequence)| {
                    asked += 1;
                    // The first ones are allowed, so that the probe gets to its later stages.
                    let place = asked % answers.len();
                    let decision = if asked as u64 <= limit { Decision::Allowed } else { answers[place].1 };
                    Reply {
                        request: ProbeRequest { sequence, target, sent: now, done: now + Nanos(1_000), decision },
                        address: None,
                        failing_open: false,
                        status: Some(if decision == Decision::Allowed { 200 } else { 429 }),
                        headers: read[place].clone(),
                    }
                }).collect();
                probe.answered(&replies);
            }
            let report = probe.finish();
            let targets: Vec<_> = (0..targets).map(|target| format!("http://node-{target}")).collect();
            let faults = report.faults.iter().map(|fault| fault.text.clone());
            let remarks = report.remarks.iter().map(|remark| remark.text.clone());
            let sentences = report.questions.sentences(&targets).into_iter().filter(|sentence| !sentence.is_empty());
            faults.chain(remarks).chain(sentences).collect::<Vec<_>>()
        });
        for line in lines {
            check_line(&line, &input);
            // The largest number of 64 bits stands for a longer one that was cut off.
            let largest = u64::MAX.to_string();
            prop_assert!(!line.contains(&largest) || input.contains(&largest), "{}", line);
        }
    }
}
