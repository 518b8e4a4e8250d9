use crate::core::schedule::Rate;

/// What a search has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The highest rate that holds, with none under it that does not. `None` if no rate does.
    pub held: Option<Rate>,
    /// The lowest rate that does not hold.
    pub not_held: Option<Rate>,
    pub limit: Limit,
    /// The lower rates at which a step did not hold, although others there or at higher rates did.
    pub contradicted: Vec<Rate>,
}

/// Why no higher rate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The limiter missed a threshold.
    Limiter,
    /// The generator could not keep its schedule.
    Generator,
    /// The generator had no connection left.
    Connections,
    /// A threshold could not be judged.
    Unjudged,
    /// No higher rate was tried.
    To,
    /// The search was ended early.
    Unfinished,
}
