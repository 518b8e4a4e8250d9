//! The audit's findings, with the requests that show them.

use super::audited_run::AuditedRun;
use super::request_file::RequestFile;
use super::{AuditVerdict, Finding};
use crate::base::Nanos;
use crate::base::text::span;
use crate::core::audit::probe::HeaderFault;
use crate::core::audit::{About, AdmissionSpan, AuditedKey, FalseBlock};
use crate::core::recorded::Recorded;

/// How many of a span's requests are named in words.
const NAMED: usize = 3;

impl AuditedRun<'_> {
    /// The worst first, and one of each kind before more of one.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut worst = Vec::new();
        if self.verdict() == AuditVerdict::Broken {
            if self.is_exceeded() {
                let spans = self.report.worst.iter();
                worst = spans.map(|one| self.excess(one)).collect();
            }
            if let Some(proof) = self.proof_beside_the_worst() {
                let finding = self.excess(proof);
                worst.retain(|one| *one != finding);
                findings.push(finding);
            } else if !worst.is_empty() {
                findings.push(worst.remove(0));
            }
            if let Some(block) = self.first_false_block() {
                findings.push(self.false_block(block));
            }
        }
        let faults = self.probe.iter().flat_map(|probe| &probe.faults);
        findings.extend(faults.map(|fault| self.header_fault(fault)));
        findings.extend(worst);
        findings
    }

    /// The proof for a single promise, unless the busiest window is itself one: that may admit less than the promise.
    fn proof_beside_the_worst(&self) -> Option<&AdmissionSpan> {
        let [one] = &self.report.promises[..] else {
            return None;
        };
        let mut limits = one.limits.iter().filter(|limit| limit.excess.is_some());
        let first = limits.next()?;
        let proof = first.excess.as_ref()?;
        (!first.limit.algorithm.about().busiest_window_is_proof).then_some(&proof.span)
    }

    fn first_false_block(&self) -> Option<&FalseBlock> {
        let is_alone = self.report.promises.len() == 1;
        let mut blocks = self.report.false_blocks.iter();
        blocks.find(|block| is_alone || self.about(block).block_is_general)
    }

    /// The algorithm by whose limit a block is explained.
    fn about(&self, block: &FalseBlock) -> &'static About {
        let promise = &self.report.promises[block.promise].promise;
        promise.limits[0].algorithm.about()
    }

    fn excess(&self, admissions: &AdmissionSpan) -> Finding {
        let (key, from, to) = (admissions.key, admissions.from, admissions.to);
        let admitted = admissions.admitted;
        let multiple = admitted as f64 / self.report.terms.limit as f64;
        let mut statement = format!(
            "{} was admitted {admitted} times within {} ({multiple:.2} times the limit), from {} to {}",
            (self.name)(key),
            span(to.saturating_sub(from)),
            at(from),
            at(to),
        );
        let errors = self.files.iter().map(|file| file.clock_error);
        if let Some(most) = errors.max().filter(|most| *most > Nanos::ZERO) {
            let most = span(most);
            statement += &format!(", with up to {most} on both sides for the clocks' errors");
        }
        Finding {
            statement,
            evidence: vec![self.requests(admissions)],
            sequences: self.numbers(&admissions.sequences),
            files: self.files_of(&admissions.sequences),
            of_the_probe: key.is_probe(),
        }
    }

    fn false_block(&self, block: &FalseBlock) -> Finding {
        let request = &block.request;
        let of_the_probe = request.key.is_probe();
        let whose = if of_the_probe { "the probe's " } else { "" };
        let (file, _) = Recorded::split(request.sequence);
        let error = self.files.get(file).map(|file| file.clock_error);
        let error = error.filter(|error| *error > Nanos::ZERO);
        // What the machine's own clock said.
        let sent = at(request.sent + error.unwrap_or_default());
        let sent = error.map_or(sent.clone(), |error| format!("{sent} ± {}", span(error)));
        let statement = format!(
            "{} was blocked at {sent} by {}, although {} ({whose}request {})",
            (self.name)(request.key),
            self.node(request.node as usize),
            (self.about(block).wrong_block)(block.counted),
            self.joined(&[request.sequence]),
        );
        Finding {
            statement,
            evidence: Vec::new(),
            sequences: self.numbers(&[request.sequence]),
            files: self.files_of(&[request.sequence]),
            of_the_probe,
        }
    }

    fn header_fault(&self, fault: &HeaderFault) -> Finding {
        let often = match fault.seen {
            1 => String::new(),
            seen => format!(" ({seen} times)"),
        };
        let sequences: Vec<_> = fault.requests.iter().map(|one| one.sequence).collect();
        let noun = if sequences.len() == 1 {
            "request"
        } else {
            "requests"
        };
        let evidence = format!(
            "answered by {} for {}, the probe's {noun} {}",
            self.target(fault.target),
            (self.name)(AuditedKey::Probe(fault.key)),
            self.joined(&sequences)
        );
        Finding {
            statement: format!("{}{often}", fault.text),
            evidence: vec![evidence],
            sequences,
            files: Vec::new(),
            of_the_probe: true,
        }
    }

    /// The first requests of a span, and the last.
    fn requests(&self, span: &AdmissionSpan) -> String {
        let sequences = &span.sequences;
        let whose = if span.key.is_probe() {
            "the probe's requests"
        } else {
            "requests"
        };
        match sequences.last() {
            Some(last) if sequences.len() > NAMED => {
                let is_cut = span.admitted as usize > sequences.len();
                let more = if is_cut { ", …" } else { "" };
                let (first, last) = (self.joined(&sequences[..NAMED]), self.joined(&[*last]));
                format!("{whose} {first}, … {last}{more}")
            }
            _ => format!("{whose} {}", self.joined(sequences)),
        }
    }

    pub fn joined(&self, sequences: &[u64]) -> String {
        let numbers = sequences
            .iter()
            .map(|sequence| RequestFile::request(self.files, *sequence));
        numbers.collect::<Vec<_>>().join(", ")
    }

    /// The requests' own numbers, without their files.
    fn numbers(&self, sequences: &[u64]) -> Vec<u64> {
        if self.files.is_empty() {
            return sequences.to_vec();
        }
        sequences
            .iter()
            .map(|sequence| Recorded::split(*sequence).1)
            .collect()
    }

    fn files_of(&self, sequences: &[u64]) -> Vec<String> {
        let file = |sequence: &u64| self.files.get(Recorded::split(*sequence).0);
        let files = sequences.iter().filter_map(file);
        files.map(|file| file.name.clone()).collect()
    }
}

/// An instant of the run.
fn at(instant: Nanos) -> String {
    format!("{:.3}s", instant.as_secs_f64())
}
