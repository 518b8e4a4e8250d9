//! What a probe has found so far.

use super::report::{Checked, HeaderFault, NotChecked, ProbeReport, Remark, RemarkKind};

#[derive(Debug, Default)]
pub(super) struct Records {
    pub asked: u64,
    pub flooded: Tally,
    pub retry_after: Tally,
    pub remaining: Tally,
    faults: Vec<HeaderFault>,
    remarks: Vec<Remark>,
}

/// How often something was checked, and the latest reason why it was not.
#[derive(Debug)]
pub(super) struct Tally {
    pub times: u64,
    pub why: NotChecked,
}

impl Records {
    /// Nothing is checked, for this reason.
    pub fn never_asked(&mut self, why: &NotChecked) {
        for tally in [
            &mut self.flooded,
            &mut self.retry_after,
            &mut self.remaining,
        ] {
            tally.why = why.clone();
        }
    }

    /// `Retry-After` was checked, and found wrong.
    pub fn retry_after_fault(&mut self, fault: HeaderFault) {
        self.retry_after.times += 1;
        self.fault(fault);
    }

    /// Keeps the first fault of each kind, and counts the others.
    pub fn fault(&mut self, fault: HeaderFault) {
        match self.faults.iter_mut().find(|one| one.kind == fault.kind) {
            Some(first) => first.seen += 1,
            None => self.faults.push(fault),
        }
    }

    /// Keeps the first remark of each kind, and counts the others.
    pub fn remark(&mut self, kind: RemarkKind, text: String) {
        match self.remarks.iter_mut().find(|one| one.kind == kind) {
            Some(first) => first.seen += 1,
            None => self.remarks.push(Remark {
                kind,
                seen: 1,
                text,
            }),
        }
    }
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            times: 0,
            why: NotChecked::RunEnded,
        }
    }
}

impl From<Tally> for Checked {
    fn from(tally: Tally) -> Checked {
        match tally.times {
            0 => Checked::Not(tally.why),
            times => Checked::Times(times),
        }
    }
}

impl From<Records> for ProbeReport {
    fn from(records: Records) -> ProbeReport {
        ProbeReport {
            asked: records.asked,
            flooded: records.flooded.into(),
            retry_after: records.retry_after.into(),
            remaining: records.remaining.into(),
            faults: records.faults,
            remarks: records.remarks,
        }
    }
}
