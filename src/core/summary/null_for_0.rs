//! Durations as JSON: null if there was nothing to measure, so that nobody takes that for a short time. Here it is 0, and every
//! duration that was measured is at least 1 ns.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub fn serialize<S: Serializer>(nanos: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    (*nanos > 0).then_some(nanos).serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(0))
}
