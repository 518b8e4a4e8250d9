//! Answers that were neither allowed nor blocked.

/// Answers of one kind that were neither allowed nor blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// Their HTTP status; `None` if there was no answer, or one without a status.
    pub status: Option<u16>,
    pub times: u64,
}

/// Counts one more.
pub(super) fn count(failures: &mut Vec<Failures>, status: Option<u16>) {
    match failures.iter_mut().find(|one| one.status == status) {
        Some(known) => known.times += 1,
        None => failures.push(Failures { status, times: 1 }),
    }
}
