use crate::core::summary::{FailedRequest, FailureSummary};
use std::collections::BTreeMap;

/// The most frequent causes, such as `404 ×30, timeout ×12 (no answer in time)`; `none` without any.
pub(super) fn by_cause(causes: &[FailureSummary], most: usize) -> String {
    let named = causes.iter().take(most).map(ToString::to_string);
    let mut named: Vec<_> = named.collect();
    if causes.len() > most {
        let rest: u64 = causes[most..].iter().map(|cause| cause.count).sum();
        named.push(format!("others ×{rest}"));
    }
    if named.is_empty() {
        "none".to_owned()
    } else {
        named.join(", ")
    }
}

/// What a failed request got instead of an answer, as lines of text.
pub(super) fn received(request: &FailedRequest) -> Vec<&str> {
    let error = request.error.iter().map(String::as_str);
    let answer = request.answer.iter().flat_map(|answer| answer.lines());
    error.chain(answer).collect()
}

/// What to do about the failures, for each kind that there is advice for.
pub(super) fn advice(failures: &BTreeMap<String, u64>) -> impl Iterator<Item = &'static str> {
    failures.keys().filter_map(|kind| match kind.as_str() {
        "reset_idle" => Some(
            "reset_idle: The server closed connections that were kept between requests. Give it a keep-alive timeout \
             of more than 60 s, or close each connection after its request with --header 'Connection: close'.",
        ),
        "protocol" => Some(
            "protocol: The answers were not HTTP/1.0 or HTTP/1.1, or not in a form that ureq, which parses them, accepts. \
             The guide lists the refused forms in src/guide/requests.md, under \"Unusual answers\".",
        ),
        "unmatched" => Some(
            "unmatched: No rule fits the headers or the body of these answers. Rules can't look into a body that is over \
             64 KiB, or compressed by anything but gzip and deflate.",
        ),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FailureKind;

    #[test]
    fn causes_are_listed_with_status_and_reason() {
        let cause = |kind: &str, status, reason: Option<&str>, count| FailureSummary {
            kind: kind.to_owned(),
            status,
            reason: reason.map(str::to_owned),
            count,
            examples: Vec::new(),
        };
        let causes = [
            cause("status_other", Some(404), None, 30),
            cause("protocol", None, Some("speaks HTTP/2"), 3),
            cause("unmatched", Some(200), None, 1),
        ];
        let all = "404 ×30, protocol ×3 (speaks HTTP/2), 200 unmatched ×1";
        assert_eq!(by_cause(&causes, 3), all);
        assert_eq!(by_cause(&causes, 1), "404 ×30, others ×4");
        assert_eq!(by_cause(&[], 1), "none");
    }

    #[test]
    fn advice_is_for_the_kinds_that_occurred() {
        let failures = |kind: &str| BTreeMap::from([(kind.to_owned(), 1)]);
        for kind in FailureKind::ALL.map(FailureKind::name) {
            let advice: Vec<_> = advice(&failures(kind)).collect();
            let has_advice = ["reset_idle", "protocol", "unmatched"].contains(&kind);
            assert_eq!(advice.len(), usize::from(has_advice), "{kind}");
            let begins = |advice: &&str| advice.starts_with(&format!("{kind}: "));
            assert!(advice.iter().all(begins), "{advice:?}");
        }
    }
}
