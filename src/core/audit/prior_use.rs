/// Who else may have sent requests for the keys, before or beside this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriorUse {
    /// Nobody: the keys are random.
    None,
    /// An earlier run may have used them, because a seed was given.
    EarlierRun,
    /// Anybody may, at any time, because the keys come from a list. Blocked requests then prove nothing.
    Anyone,
}
