use crate::base::Nanos;
use crate::base::text::{MAX_DURATION, whole, whole_millis};
use std::collections::HashMap;
use std::num::TryFromIntError;

/// What a limiter promises one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tier {
    pub allowance: Allowance,
    /// The units that each request of the key counts, from 1.
    pub cost: u64,
}

/// How many requests of one key the limiter promises to admit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Allowance {
    /// As many as of every key without a limit of its own.
    #[default]
    Default,
    /// The key's own limit, from 1, in a window of whole milliseconds.
    Limit {
        limit: u64,
        window: Nanos,
    },
    Unlimited,
}

/// The highest limit of a key.
pub const MAX_LIMIT: u64 = 1_000_000_000;

/// The highest cost of a request.
pub const MAX_COST: u64 = 1_000_000;

/// The part of a line behind the key: a limit, a cost, or both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct ListedTier {
    pub allowance: Allowance,
    /// `None` if the key has the cost of the run.
    pub cost: Option<u64>,
}

/// The most different limits and costs in a list.
pub(super) const MAX_TIERS: u16 = u16::MAX;

/// The limits and costs of a list's keys. It takes no memory if no key has one of its own.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ListedTiers {
    /// The first is that of keys without a limit or a cost of their own.
    different: Vec<ListedTier>,
    /// The place in `different` of each key's.
    places: Vec<u16>,
}

impl ListedTiers {
    /// Adds that of the next key, which has this place. `known` has the places in `different`, and is empty at first.
    ///
    /// # Errors
    /// There are more than [`MAX_TIERS`].
    pub fn push(
        &mut self,
        tier: ListedTier,
        known: &mut HashMap<ListedTier, u16>,
        key: usize,
    ) -> Result<(), TryFromIntError> {
        let plain = ListedTier::default();
        if self.different.is_empty() {
            if tier == plain {
                return Ok(());
            }
            self.different.push(plain);
            known.insert(plain, 0);
            self.places.resize(key, 0);
        }
        let place = match known.get(&tier) {
            Some(place) => *place,
            None => {
                let place = self.different.len().try_into()?;
                self.different.push(tier);
                known.insert(tier, place);
                place
            }
        };
        self.places.push(place);
        Ok(())
    }

    pub fn of(&self, key: usize) -> ListedTier {
        let place = self.places.get(key);
        let tier = place.map(|&place| self.different[usize::from(place)]);
        tier.unwrap_or_default()
    }

    pub fn different(&self) -> &[ListedTier] {
        &self.different
    }

    pub fn places(&self) -> &[u16] {
        &self.places
    }

    pub fn shrink_to_fit(&mut self) {
        self.places.shrink_to_fit();
    }
}

/// A mistake in a line. The column counts characters, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TierError {
    pub column: usize,
    /// The end of a sentence that begins with the place.
    pub allowed: String,
}

const FIRST: &str = "must be a limit such as 100/60s, unlimited, or a cost such as cost 5";
const SECOND: &str = "must be a cost such as cost 5";

/// Separates the key in a line from what follows its first tab. Blanks around each part are ignored.
pub(super) fn split_line(line: &str) -> Result<(&str, ListedTier), TierError> {
    let mut fields = line.trim().split('\t');
    let key = fields.next().unwrap_or_default().trim_end();
    let mut tier = ListedTier::default();
    let (mut is_first, mut has_cost) = (true, false);
    for field in fields {
        let text = field.trim();
        let refuse = |allowed: String| TierError {
            column: column(line, text),
            allowed,
        };
        if has_cost {
            return Err(refuse(
                "must be the end of the line, after the cost".to_owned(),
            ));
        }
        if let Some(number) = text.strip_prefix("cost ") {
            tier.cost =
                Some(cost(number).map_err(|allowed| refuse(format!("the cost {allowed}")))?);
            has_cost = true;
        } else if is_first {
            tier.allowance = allowance(text).map_err(refuse)?;
        } else {
            return Err(refuse(SECOND.to_owned()));
        }
        is_first = false;
    }
    Ok((key, tier))
}

/// Reads the cost of a request.
///
/// # Errors
/// Says what is allowed, as the end of a sentence.
pub fn cost(text: &str) -> Result<u64, String> {
    whole(text, 1..=MAX_COST)
}

fn allowance(text: &str) -> Result<Allowance, String> {
    if text == "unlimited" {
        return Ok(Allowance::Unlimited);
    }
    let (limit, window) = text.split_once('/').ok_or(FIRST)?;
    let limit = whole(limit, 1..=MAX_LIMIT).map_err(|allowed| format!("the limit {allowed}"))?;
    let window = whole_millis(window, MAX_DURATION, "3650d");
    let window = window.map_err(|allowed| format!("the window {allowed}"))?;
    Ok(Allowance::Limit {
        limit,
        window: window.into(),
    })
}

/// The column at which `part`, a slice of `line`, begins.
fn column(line: &str, part: &str) -> usize {
    let before = part.as_ptr().addr() - line.as_ptr().addr();
    line[..before].chars().count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(limit: u64, millis: u64) -> Allowance {
        Allowance::Limit {
            limit,
            window: Nanos(millis * 1_000_000),
        }
    }

    #[test]
    fn a_line_has_a_key_and_then_its_limit_its_cost_or_both() {
        use Allowance::{Default, Unlimited};
        for (line, key, allowance, cost) in [
            ("alice", "alice", Default, None),
            ("alice\t100/60s", "alice", limit(100, 60_000), None),
            (" a b \t 1/500ms ", "a b", limit(1, 500), None),
            ("bob\tunlimited", "bob", Unlimited, None),
            ("carol\tcost 5", "carol", Default, Some(5)),
            (
                "é\t20/2m\tcost 1000000",
                "é",
                limit(20, 120_000),
                Some(1_000_000),
            ),
            ("dave\tunlimited\tcost 2\r\n", "dave", Unlimited, Some(2)),
            ("erin\t", "erin", Default, None),
        ] {
            let expected = ListedTier { allowance, cost };
            assert_eq!(split_line(line), Ok((key, expected)), "{line:?}");
        }
    }

    #[test]
    fn a_wrong_line_is_refused_with_the_column_and_what_is_allowed() {
        for (line, column, allowed) in [
            ("é\tfast", 3, FIRST),
            ("  a\t\tcost 5", 5, FIRST),
            ("a\t100", 3, FIRST),
            ("a\tcost", 3, FIRST),
            (
                "a\t0/60s",
                3,
                "the limit must be a whole number from 1 to 1000000000",
            ),
            (
                "a\t1/0s",
                3,
                "the window must be seconds, or a time such as 90s",
            ),
            (
                "a\t1/1.5ms",
                3,
                "the window must be a time from 1ms to 3650d, in whole milliseconds",
            ),
            (
                "a\tcost 0",
                3,
                "the cost must be a whole number from 1 to 1000000",
            ),
            ("a\t1/1s\t 2/2s", 9, SECOND),
            (
                "a\tcost 5\t1/1s",
                10,
                "must be the end of the line, after the cost",
            ),
        ] {
            let error = split_line(line).expect_err(line);
            assert_eq!(error.column, column, "{line:?}");
            assert!(
                error.allowed.starts_with(allowed),
                "{line:?}: {}",
                error.allowed
            );
        }
    }
}
