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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_kinds_come_first() {
        let kinds = [("refused", 3), ("timeout", 12), ("reset", 1)];
        let failures = kinds.map(|(kind, count)| (kind.to_owned(), count)).into();
        assert_eq!(by_kind(&failures, 3), "timeout 12, refused 3, reset 1");
        assert_eq!(by_kind(&failures, 1), "timeout 12, others 4");
        assert_eq!(by_kind(&BTreeMap::new(), 1), "none");
    }
}
