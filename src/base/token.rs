use super::Moment;

/// One scheduled request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// From 0, in the order of due times.
    pub sequence: u64,
    pub due: Moment,
    pub key: KeyId,
}

/// Identifies one key of a run: its place in the set where the set is fixed, its digits where
/// every request has a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u32);
