use super::Moment;

/// One scheduled request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Counted from 0, in the order of due times, among the tokens of this process. Its stripe tells the number in the whole
    /// schedule.
    pub place: u64,
    pub due: Moment,
    pub key: KeyId,
}

/// Identifies one key of a run. It is the key's place in a fixed set, counted from 0, or the digits of a key that only one
/// request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u32);
