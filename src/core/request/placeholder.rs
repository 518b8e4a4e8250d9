use crate::base::{KeyId, Nanos};
use crate::core::keys::{Allowance, Keys, Tier};
use std::cell::OnceCell;
use std::time::{SystemTime, UNIX_EPOCH};
use strum::{EnumString, IntoStaticStr, VariantArray};
use uuid::{Builder, Uuid};

/// The names that may stand in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Placeholder {
    /// The request's key.
    Key,
    /// The limit of the key's checks.
    Limit,
    /// The window of the key's checks, in milliseconds.
    WindowMs,
    /// The window of the key's checks, in seconds.
    WindowS,
    /// The units that the request counts.
    Cost,
    /// The request's sequence number, from 0.
    Seq,
    /// A random (version 4) UUID, drawn from the seed and the sequence number. It is the same everywhere in a request.
    Uuid,
    /// The base URL of the request's target.
    Target,
    /// The time of day at which the request was made, in milliseconds since 1970 (Unix time).
    NowMs,
}

/// The source of a placeholder's value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    /// A number that all requests of a key share, and most often all requests of a run.
    OfTerms(fn(&Terms) -> u64),
    Varying(Varying),
}

/// A value that differs from request to request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Varying {
    Number(fn(&Values<'_>) -> u64),
    /// A number that depends on the key alone.
    OfTerms(fn(&Terms) -> u64),
    Key,
    Uuid,
    Target,
}

impl Placeholder {
    pub(super) fn value(self) -> Value {
        match self {
            Placeholder::Key => Value::Varying(Varying::Key),
            Placeholder::Limit => Value::OfTerms(|terms| terms.limit),
            Placeholder::WindowMs => Value::OfTerms(|terms| terms.window.0 / 1_000_000),
            Placeholder::WindowS => Value::OfTerms(|terms| terms.window.0 / 1_000_000_000),
            Placeholder::Cost => Value::OfTerms(|terms| terms.cost),
            Placeholder::Seq => Value::Varying(Varying::Number(|request| request.sequence)),
            Placeholder::Uuid => Value::Varying(Varying::Uuid),
            Placeholder::Target => Value::Varying(Varying::Target),
            Placeholder::NowMs => Value::Varying(Varying::Number(|request| request.now_ms())),
        }
    }

    /// All placeholders as they are typed, such as `{key}`, with commas between them.
    pub(super) fn list() -> String {
        let names = Placeholder::VARIANTS.iter().map(|placeholder| {
            let name: &str = placeholder.into();
            format!("{{{name}}}")
        });
        names.collect::<Vec<_>>().join(", ")
    }
}

/// The keys of a run, and the limit and window of those keys that have none of their own.
#[derive(Debug, Clone, Copy)]
pub struct Constants<'a> {
    pub keys: &'a Keys,
    pub limit: u64,
    pub window: Nanos,
}

/// The numbers that the requests of one key carry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    limit: u64,
    window: Nanos,
    cost: u64,
}

impl Constants<'_> {
    /// The numbers that requests carry for a key of this tier. A request can't say that its key is unlimited.
    fn terms(&self, tier: Tier) -> Terms {
        let (limit, window) = match tier.allowance {
            Allowance::Limit { limit, window } => (limit, window),
            Allowance::Default | Allowance::Unlimited => (self.limit, self.window),
        };
        Terms {
            limit,
            window,
            cost: tier.cost,
        }
    }

    /// The number, if it is the same for all keys.
    pub(super) fn common(&self, number: fn(&Terms) -> u64) -> Option<u64> {
        let mut numbers = self.keys.tiers().map(|tier| number(&self.terms(tier)));
        let first = numbers.next()?;
        numbers.all(|other| other == first).then_some(first)
    }
}

/// The values of one request.
#[derive(Debug)]
pub(super) struct Values<'a> {
    run: Constants<'a>,
    pub key: KeyId,
    pub sequence: u64,
    /// The target's base URL.
    pub target: &'a str,
    seed: u64,
    uuid: OnceCell<Uuid>,
    now_ms: OnceCell<u64>,
}

impl<'a> Values<'a> {
    pub fn new(run: Constants<'a>, key: KeyId, sequence: u64, target: &'a str, seed: u64) -> Self {
        Values {
            run,
            key,
            sequence,
            target,
            seed,
            uuid: OnceCell::new(),
            now_ms: OnceCell::new(),
        }
    }

    pub fn keys(&self) -> &'a Keys {
        self.run.keys
    }

    pub fn terms(&self) -> Terms {
        self.run.terms(self.run.keys.tier(self.key))
    }

    pub fn uuid(&self) -> &Uuid {
        self.uuid.get_or_init(|| {
            let halves = [0, 1].map(|half| mix(self.seed, 2 * u128::from(self.sequence) + half));
            let bits = u128::from(halves[0]) << 64 | u128::from(halves[1]);
            Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
        })
    }

    fn now_ms(&self) -> u64 {
        *self.now_ms.get_or_init(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.unwrap_or_default().as_millis() as u64
        })
    }
}

/// The number at this index of a random sequence that the seed selects: SplitMix64, Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators" (OOPSLA 2014), whose state at any index is a product.
fn mix(seed: u64, index: u128) -> u64 {
    let step = (index as u64).wrapping_add(1);
    let mut z = seed.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_uuid_is_of_version_4_and_as_different_as_requests_and_seeds() {
        let keys = Keys::fresh("");
        let run = Constants {
            keys: &keys,
            limit: 100,
            window: Nanos(60_000_000_000),
        };
        let uuid = |seed, sequence| *Values::new(run, KeyId(0), sequence, "", seed).uuid();
        let places = (0..10).flat_map(|seed| (0..1_000).map(move |sequence| (seed, sequence)));
        let drawn: HashSet<_> = places
            .map(|(seed, sequence)| uuid(seed, sequence))
            .collect();
        assert_eq!(drawn.len(), 10_000);
        assert!(drawn.iter().all(|uuid| uuid.get_version_num() == 4));
        assert_eq!(uuid(7, 9), uuid(7, 9));
        // The first two outputs of the authors' own program for the seed 0, but for version and variant.
        let reference = "e220a839-7b1d-4daf-ae78-9e6aa1b965f4";
        assert_eq!(uuid(0, 0).to_string(), reference);
    }
}
