use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The kinds of failure, the most frequent first.
pub(super) fn sorted(failures: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let mut kinds: Vec<_> = failures
        .iter()
        .map(|(kind, count)| (kind.as_str(), *count))
        .collect();
    kinds.sort_by_key(|(_, count)| Reverse(*count));
    kinds
}

/// The most frequent kinds, such as `timeout 12, refused 3`; `none` without any.
pub(super) fn by_kind(failures: &BTreeMap<String, u64>, most: usize) -> String {
    let kinds = sorted(failures);
    let named = kinds.iter().take(most);
    let mut named: Vec<_> = named
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    if kinds.len() > most {
        let rest: u64 = kinds[most..].iter().map(|(_, count)| count).sum();
        named.push(format!("others {rest}"));
    }
    if named.is_empty() {
        "none".to_owned()
    } else {
        named.join(", ")
    }
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
             The README says under \"Odd answers\" which forms are refused.",
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
    fn the_most_frequent_kinds_come_first() {
        let kinds = [("refused", 3), ("timeout", 12), ("reset", 1)];
        let failures = kinds.map(|(kind, count)| (kind.to_owned(), count)).into();
        assert_eq!(by_kind(&failures, 3), "timeout 12, refused 3, reset 1");
        assert_eq!(by_kind(&failures, 1), "timeout 12, others 4");
        assert_eq!(by_kind(&BTreeMap::new(), 1), "none");
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
