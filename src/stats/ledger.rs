/// Where every scheduled request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    pub scheduled: u64,
    pub sent: u64,
    pub dropped: u64,
    pub unsent: u64,
    pub allowed: u64,
    pub blocked: u64,
    pub failed: u64,
    pub abandoned: u64,
}

impl Ledger {
    /// Whether every request is accounted for. True of every run that has ended.
    pub fn balances(&self) -> bool {
        self.scheduled == self.sent + self.dropped + self.unsent
            && self.sent == self.allowed + self.blocked + self.failed + self.abandoned
    }

    /// The requests that the limiter answered as a limiter should.
    pub fn success(&self) -> u64 {
        self.allowed + self.blocked
    }
}
