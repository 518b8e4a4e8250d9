//! The keys of a run, and the key of each request: a pure function of the seed and the request's number.

mod dealer;
mod distribution;
mod draws;
mod list;
mod rounds;
mod tier;

pub use dealer::Dealer;
pub use distribution::Distribution;
pub use list::{KeyList, KeyListError, KeyNumbers};
pub use tier::{Allowance, MAX_LIMIT, Tier, cost};

use crate::base::KeyId;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::HashSet;
use std::sync::Arc;
use tier::ListedTier;
use uuid::Builder;

/// The keys of one run: a common prefix, and a name for each. A clone shares the names.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
    names: Names,
    /// The length of the longest key, in bytes.
    longest: usize,
    unreserved: bool,
    plain_in_json: bool,
    /// The cost of each request of a key without a cost of its own.
    cost: u64,
}

#[derive(Debug, Clone)]
enum Names {
    /// The first 8 hex digits of random UUIDs. Each takes 4 bytes of memory.
    Generated(Arc<Vec<u32>>),
    Listed(Arc<KeyList>),
    /// 8 hex digits. Every request has a key of its own.
    Fresh,
}

/// The number of hex digits in a generated or fresh key.
const DIGITS: usize = 8;

/// The largest number of keys in a fixed set.
pub const MAX_KEYS: u32 = 10_000_000;

pub const DEFAULT_PREFIX: &str = "loadgen-";

/// The longest key that limiters accept, in bytes.
const MAX_BYTES: usize = 256;

impl Keys {
    /// A fixed set of `count` distinct keys, drawn from `seed`.
    pub fn generated(count: u32, seed: u64, prefix: &str) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut seen = HashSet::with_capacity(count as usize);
        let mut keys = Vec::with_capacity(count as usize);
        while keys.len() < count as usize {
            let mut bytes = [0; 16];
            random.fill_bytes(&mut bytes);
            let (first_eight, ..) = Builder::from_random_bytes(bytes).into_uuid().as_fields();
            if seen.insert(first_eight) {
                keys.push(first_eight);
            }
        }
        Self::new(prefix, Names::Generated(Arc::new(keys)))
    }

    /// The keys of a list, each behind the prefix.
    pub fn listed(list: Arc<KeyList>, prefix: &str) -> Self {
        Self::new(prefix, Names::Listed(list))
    }

    /// A new key for every request. The keys are a permutation of all 32-bit numbers, so none is repeated within 2³²
    /// requests.
    pub fn fresh(prefix: &str) -> Self {
        Self::new(prefix, Names::Fresh)
    }

    /// As many keys with the same prefix, drawn from another seed. Listed and fresh keys stay as they are.
    #[must_use]
    pub fn redrawn(&self, seed: u64) -> Self {
        match &self.names {
            Names::Generated(keys) => {
                Self::generated(keys.len() as u32, seed, &self.prefix).with_cost(self.cost)
            }
            Names::Listed(_) | Names::Fresh => self.clone(),
        }
    }

    /// A new key for every request of a probe, none of which is among these keys: `loadgen-probe-3f9c01ab-00000000` and
    /// so on. They have the prefix of these keys, or the default prefix if these keys are listed, or if a limiter might
    /// not accept the length.
    pub fn for_a_probe(&self, seed: u64) -> Self {
        let (prefix, listed) = match &self.names {
            Names::Listed(list) => (DEFAULT_PREFIX, list.text()),
            Names::Generated(_) | Names::Fresh => (&*self.prefix, ""),
        };
        let made = |prefix: &str, seed| {
            let numbered = Self::generated(1, seed, &format!("{prefix}probe-"));
            Self::fresh(&format!("{}-", numbered.name(KeyId(0)))).with_cost(self.cost)
        };
        // The run's own keys are drawn from `seed` itself.
        let seeds = (0..).map(|k| !seed.wrapping_add(k));
        let mut keys = seeds.map(|seed| match made(prefix, seed) {
            keys if keys.longest() <= MAX_BYTES => keys,
            _ => made(DEFAULT_PREFIX, seed),
        });
        // Generated and fresh keys have another length, so only listed keys can collide.
        keys.find(|keys| !listed.contains(&keys.prefix))
            .expect("more prefixes than a list can contain")
    }

    fn new(prefix: &str, names: Names) -> Self {
        let (listed, longest) = match &names {
            Names::Listed(list) => (list.text(), list.longest()),
            Names::Generated(_) | Names::Fresh => ("", DIGITS),
        };
        let all = |fits: fn(u8) -> bool| [prefix, listed].iter().all(|text| text.bytes().all(fits));
        Keys {
            unreserved: all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
            plain_in_json: all(|byte| byte >= b' ' && !b"\"\\".contains(&byte)),
            longest: prefix.len() + longest,
            prefix: prefix.to_owned(),
            names,
            cost: 1,
        }
    }

    /// The same keys, where a request counts `cost` units if its key has no cost of its own.
    pub fn with_cost(self, cost: u64) -> Self {
        Keys { cost, ..self }
    }

    /// The limit and the cost of a key.
    pub fn tier(&self, id: KeyId) -> Tier {
        match &self.names {
            Names::Listed(list) => self.tier_of(list.tier(id.0 as usize)),
            Names::Generated(_) | Names::Fresh => self.tier_of(ListedTier::default()),
        }
    }

    /// Another number for a list with other keys, another order of them, or other limits and costs; 0 if the keys are not
    /// listed.
    pub fn list_digest(&self) -> u64 {
        match &self.names {
            Names::Listed(list) => list.digest(),
            Names::Generated(_) | Names::Fresh => 0,
        }
    }

    /// The different limits and costs of the keys, of which there is at least one.
    pub fn tiers(&self) -> impl Iterator<Item = Tier> {
        let listed = match &self.names {
            Names::Listed(list) => list.tiers(),
            Names::Generated(_) | Names::Fresh => &[],
        };
        let plain = listed.is_empty().then(ListedTier::default);
        let tiers = plain.into_iter().chain(listed.iter().copied());
        tiers.map(|tier| self.tier_of(tier))
    }

    /// The place of each key's limit and cost in [`tiers`](Self::tiers). It is empty if no key has one of its own.
    pub fn tier_places(&self) -> &[u16] {
        match &self.names {
            Names::Listed(list) => list.tier_places(),
            Names::Generated(_) | Names::Fresh => &[],
        }
    }

    /// Whether any key has a limit or a cost of its own.
    pub fn have_tiers(&self) -> bool {
        self.tiers().nth(1).is_some()
    }

    fn tier_of(&self, listed: ListedTier) -> Tier {
        Tier {
            allowance: listed.allowance,
            cost: listed.cost.unwrap_or(self.cost),
        }
    }

    /// The number of keys in a fixed set; `None` if every request has a new key.
    pub fn count(&self) -> Option<u32> {
        match &self.names {
            Names::Generated(keys) => Some(keys.len() as u32),
            Names::Listed(list) => Some(list.len() as u32),
            Names::Fresh => None,
        }
    }

    /// Whether the keys have random digits, unlike those of a list.
    pub fn are_random(&self) -> bool {
        !matches!(self.names, Names::Listed(_))
    }

    /// The whole key, with its prefix.
    pub fn name(&self, id: KeyId) -> String {
        let mut name = Vec::new();
        self.write(id, &mut name);
        String::from_utf8(name).expect("prefix, digits and lines are text")
    }

    /// Appends the whole key to `into`.
    pub fn write(&self, id: KeyId, into: &mut Vec<u8>) {
        into.extend_from_slice(self.prefix.as_bytes());
        let digits = match &self.names {
            Names::Generated(keys) => keys[id.0 as usize],
            Names::Fresh => id.0,
            Names::Listed(list) => {
                return into.extend_from_slice(list.key(id.0 as usize).as_bytes());
            }
        };
        let hex: [u8; DIGITS] =
            std::array::from_fn(|i| b"0123456789abcdef"[(digits >> (28 - 4 * i) & 0xf) as usize]);
        into.extend_from_slice(&hex);
    }

    /// The length of every key in bytes; `None` if lengths may differ.
    pub fn fixed_len(&self) -> Option<usize> {
        self.are_random().then_some(self.longest)
    }

    /// The length of the longest key, in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Whether all keys consist of letters, digits and `-._~`, which need no escape in a URL
    /// ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986), section 2.3).
    pub fn are_unreserved(&self) -> bool {
        self.unreserved
    }

    /// Whether all keys can stand in a JSON string without an escape.
    pub fn are_plain_in_json(&self) -> bool {
        self.plain_in_json
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Nanos;

    fn names(keys: &Keys) -> Vec<String> {
        let count = keys.count().expect("a fixed set");
        (0..count).map(|place| keys.name(KeyId(place))).collect()
    }

    #[test]
    fn same_seed_same_keys() {
        let generated = |seed| names(&Keys::generated(7, seed, DEFAULT_PREFIX));
        let others = generated(43);
        assert_eq!(generated(42), generated(42));
        assert!(generated(42).iter().all(|key| !others.contains(key)));
    }

    #[test]
    fn the_keys_of_a_set_are_distinct_and_have_one_length() {
        let keys = Keys::generated(10_000, 0, "k:");
        let names = names(&keys);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), 10_000);
        let is_alike = |name: &String| name.len() == 10 && name.starts_with("k:");
        assert!(names.iter().all(is_alike));
        assert_eq!((keys.fixed_len(), keys.longest()), (Some(10), 10));
        assert!(!keys.are_unreserved());
    }

    #[test]
    fn a_probe_has_keys_of_its_own() {
        let of = |keys: &Keys| keys.for_a_probe(1).name(KeyId(2));
        let own = of(&Keys::generated(7, 1, "user:"));
        assert!(own.starts_with("user:probe-") && own.ends_with("-00000002"));
        assert_eq!(of(&Keys::fresh("user:")), own);
        assert_ne!(Keys::fresh("user:").for_a_probe(2).name(KeyId(2)), own);

        let long = of(&Keys::fresh(&"x".repeat(248)));
        assert_eq!(long.len(), "loadgen-probe-3f9c01ab-00000002".len());
        assert!(long.starts_with("loadgen-probe-"));

        let listed =
            |text: &str| Keys::listed(Arc::new(KeyList::read(text.as_bytes()).unwrap()), "");
        let own = of(&listed("alice"));
        assert_eq!(own, long);
        assert_ne!(of(&listed(&own)), own);
    }

    #[test]
    fn redrawn_keys_differ_from_all_before_in_their_digits_only() {
        let keys = Keys::generated(3, 1, "user:").with_cost(5);
        let others = keys.redrawn(2);
        assert_eq!(names(&others), names(&Keys::generated(3, 2, "user:")));
        assert_eq!(others.tier(KeyId(0)), keys.tier(KeyId(0)));
        assert!(names(&keys).iter().all(|key| !names(&others).contains(key)));
        let list = KeyList::read(&b"alice\nbob"[..]).unwrap();
        let listed = Keys::listed(Arc::new(list), "");
        assert_eq!(names(&listed.redrawn(2)), ["alice", "bob"]);
    }

    #[test]
    fn a_key_has_its_own_limit_and_cost_or_those_of_the_run() {
        let list = KeyList::read(&b"alice\t10/1s\nbob\tcost 5\ncarol"[..]).unwrap();
        let keys = Keys::listed(Arc::new(list), "").with_cost(3);
        let window = Nanos(1_000_000_000);
        let limit = Allowance::Limit { limit: 10, window };
        let tier = |allowance, cost| Tier { allowance, cost };
        let expected = [
            tier(limit, 3),
            tier(Allowance::Default, 5),
            tier(Allowance::Default, 3),
        ];
        let tiers = [0, 1, 2].map(|place| keys.tier(KeyId(place)));
        assert_eq!(tiers, expected);
        assert!(keys.have_tiers());
        assert_eq!(keys.tiers().count(), 3);

        let probes = keys.for_a_probe(1);
        assert_eq!(probes.tier(KeyId(9)), expected[2]);
        assert!(!probes.have_tiers() && probes.tiers().eq([expected[2]]));
    }

    #[test]
    fn small_numbers_keep_their_leading_zeros() {
        let keys = Keys::fresh(DEFAULT_PREFIX);
        assert_eq!(keys.name(KeyId(0xa)), "loadgen-0000000a");
        assert_eq!(keys.name(KeyId(0x3f9c_01ab)), "loadgen-3f9c01ab");
        assert!(keys.are_unreserved());
    }

    #[test]
    fn listed_keys_stand_behind_the_prefix() {
        let list = |text: &str| Arc::new(KeyList::read(text.as_bytes()).unwrap());
        let keys = Keys::listed(list("alice\nbob\n"), "user:");
        assert_eq!(names(&keys), ["user:alice", "user:bob"]);
        assert_eq!((keys.fixed_len(), keys.longest()), (None, 10));
        for (text, prefix, unreserved, plain_in_json) in [
            ("a\nb", "", true, true),
            ("a\nb c", "", false, true),
            ("é@x", "user:", false, true),
            ("a\nb\\", "", false, false),
            ("a", "\"", false, false),
        ] {
            let keys = Keys::listed(list(text), prefix);
            let plain = (keys.are_unreserved(), keys.are_plain_in_json());
            assert_eq!(plain, (unreserved, plain_in_json), "{prefix}{text}");
        }
    }
}
