//! `loadgen audit`: the audit of recorded requests.

use super::{print, warn};
use crate::cli::{self, Refusal};
use crate::core::audit::{Terms, Tiers};
use crate::core::exit_code;
use crate::core::summary::{RecordedAudit, RecordedCounts, RecordedPart, RecordedRun, RequestFile};
use crate::recording::{Recording, Unreadable};
use crate::report::{self, Files, PATIENCE};
use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

/// Audits the requests of all files. Returns the exit code of the verdict.
pub fn audit(setup: &cli::RecordedSetup) -> anyhow::Result<u8> {
    let files = Files::open(&setup.outputs).map_err(Refusal::from)?;
    let to_standard_output = !files.takes_standard_output();
    let audited = audited(setup).map_err(|error| setup.refuse(&error))?;
    let text = report::recorded(&audited);
    if to_standard_output {
        print(&text)?;
    } else {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    let failed = files.write_recorded(&audited, Instant::now() + PATIENCE);
    for error in &failed {
        warn(error);
    }
    if !failed.is_empty() && audited.exit_code == exit_code::FINE {
        return Ok(exit_code::BROKE);
    }
    Ok(audited.exit_code)
}

fn audited(setup: &cli::RecordedSetup) -> Result<RecordedAudit, Unreadable> {
    let memory = setup.audit.memory;
    let recording = Recording::survey(
        &setup.files,
        &setup.columns,
        setup.audit.clock_tolerance,
        memory / KEY_NAMES,
    )?;
    let nodes = recording.nodes();
    let terms = Terms {
        promises: setup.audit.promises.clone(),
        limit: setup.limit,
        window: setup.window,
        targets: nodes.len().max(1),
        timeout: setup.timeout,
        prior_use: setup.audit.prior_use,
        memory: memory - recording.keys().memory(),
        clock_tolerance: setup.audit.clock_tolerance,
        excess_tolerance: setup.audit.excess_tolerance,
        cost: 1,
        tiers: Tiers::default(),
    };
    let reported = recording.audit(terms, &setup.columns)?;
    let names = names(&setup.files);
    let files: Vec<_> = names
        .iter()
        .zip(recording.numbered_by())
        .map(|(name, numbered_by)| RequestFile {
            name: name.clone(),
            numbered_by,
        })
        .collect();
    let run = RecordedRun {
        report: &reported.report,
        nodes: &nodes,
        keys: recording.keys(),
        files: &files,
    };
    let parts = |names: Vec<String>, counts: Vec<RecordedCounts>| {
        let parts = names.into_iter().zip(counts);
        parts
            .map(|(name, requests)| RecordedPart { name, requests })
            .collect()
    };
    let audit = run.audit();
    Ok(RecordedAudit::new(
        audit,
        recording.started(),
        parts(names, reported.files),
        parts(nodes, reported.nodes),
    ))
}

/// The names of keys may use this fraction of the audit's memory.
const KEY_NAMES: usize = 4;

/// Short names of the files: without folders, if these differ.
fn names(files: &[PathBuf]) -> Vec<String> {
    let name = |path: &PathBuf| {
        path.file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned()
    };
    let names: Vec<_> = files.iter().map(name).collect();
    let unique: HashSet<_> = names.iter().collect();
    if unique.len() == files.len() {
        return names;
    }
    files
        .iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect()
}
