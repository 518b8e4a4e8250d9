use crate::base::KeyId;
use crate::core::keys::Keys;
use std::cell::OnceCell;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::{Builder, Uuid};

/// What may stand in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder {
    /// The request's key.
    Key,
    /// The limit of the run's checks.
    Limit,
    /// Their window, in milliseconds.
    WindowMs,
    /// Their window, in seconds.
    WindowS,
    /// The request's sequence number, from 0.
    Seq,
    /// A random (version 4) UUID, drawn from the seed and the sequence number: the same one wherever it
    /// stands in a request.
    Uuid,
    /// The base URL of the target that the request goes to.
    Target,
    /// The time of day, in milliseconds since 1970 (Unix time), at which the request was made ready to leave.
    NowMs,
}

impl Placeholder {
    pub const ALL: [Placeholder; 8] = [
        Placeholder::Key,
        Placeholder::Limit,
        Placeholder::WindowMs,
        Placeholder::WindowS,
        Placeholder::Seq,
        Placeholder::Uuid,
        Placeholder::Target,
        Placeholder::NowMs,
    ];

    /// As it is typed, without the braces.
    pub fn name(self) -> &'static str {
        match self {
            Placeholder::Key => "key",
            Placeholder::Limit => "limit",
            Placeholder::WindowMs => "window_ms",
            Placeholder::WindowS => "window_s",
            Placeholder::Seq => "seq",
            Placeholder::Uuid => "uuid",
            Placeholder::Target => "target",
            Placeholder::NowMs => "now_ms",
        }
    }

    pub(super) fn named(name: &str) -> Option<Placeholder> {
        Self::ALL
            .into_iter()
            .find(|placeholder| placeholder.name() == name)
    }
}

/// What the placeholders stand for in one request.
#[derive(Debug)]
pub struct Values<'a> {
    pub(super) keys: &'a Keys,
    pub(super) key: KeyId,
    pub(super) sequence: u64,
    pub(super) target: &'a str,
    seed: u64,
    uuid: OnceCell<Uuid>,
    now_ms: OnceCell<u128>,
}

impl<'a> Values<'a> {
    /// `target` is a base URL.
    pub fn new(keys: &'a Keys, key: KeyId, sequence: u64, target: &'a str, seed: u64) -> Self {
        Values {
            keys,
            key,
            sequence,
            target,
            seed,
            uuid: OnceCell::new(),
            now_ms: OnceCell::new(),
        }
    }

    pub(super) fn uuid(&self) -> &Uuid {
        self.uuid.get_or_init(|| {
            let halves = [0, 1].map(|half| mix(self.seed, 2 * u128::from(self.sequence) + half));
            let bits = u128::from(halves[0]) << 64 | u128::from(halves[1]);
            Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
        })
    }

    pub(super) fn now_ms(&self) -> u128 {
        *self.now_ms.get_or_init(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.unwrap_or_default().as_millis()
        })
    }
}

/// The number at this place of a random sequence chosen by the seed: SplitMix64, Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators" (OOPSLA 2014), whose state at any place is a product.
fn mix(seed: u64, place: u128) -> u64 {
    let mut z = seed.wrapping_add(
        (place as u64)
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15),
    );
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
        let uuid = |seed, sequence| *Values::new(&keys, KeyId(0), sequence, "", seed).uuid();
        let drawn: HashSet<_> = (0..10)
            .flat_map(|seed| (0..1_000).map(move |sequence| uuid(seed, sequence)))
            .collect();
        assert_eq!(drawn.len(), 10_000);
        assert!(drawn.iter().all(|uuid| uuid.get_version_num() == 4));
        assert_eq!(uuid(7, 9), uuid(7, 9));
        // The first two outputs of the authors' own program for the seed 0, but for version and variant.
        let as_ever = "e220a839-7b1d-4daf-ae78-9e6aa1b965f4";
        assert_eq!(uuid(0, 0).to_string(), as_ever);
    }

    #[test]
    fn each_is_found_by_its_name() {
        for placeholder in Placeholder::ALL {
            assert_eq!(Placeholder::named(placeholder.name()), Some(placeholder));
        }
        assert_eq!(Placeholder::named("Key"), None);
    }
}
