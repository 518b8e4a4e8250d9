//! `loadgen audit`: the audit of recorded requests.

use super::{or_broke, print, warn};
use crate::cli::{self, ListedKeys, Refusal};
use crate::core::audit::{Terms, Tiers};
use crate::core::plan;
use crate::core::recorded::KeyNames;
use crate::core::summary::{RecordedAudit, RecordedCounts, RecordedPart, RecordedRun, RequestFile};
use crate::recording::{Recording, Unreadable};
use crate::report::{self, Display, Files, PATIENCE, StyledText};
use std::collections::HashSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

/// Audits the requests of all files. Returns the exit code of the verdict.
pub fn audit(setup: &cli::RecordedSetup) -> anyhow::Result<u8> {
    let files = Files::open(&setup.outputs, &setup.inputs).map_err(Refusal::from)?;
    let to_standard_output = !files.takes_standard_output();
    let audited = audited(setup)?;
    let display = Display::new(if to_standard_output {
        setup.color.colours(&io::stdout())
    } else {
        setup.color.colours(&io::stderr())
    });
    let mut is_whole = true;
    let mut print = |text: &StyledText| {
        let text = text.display(display) + "\n";
        if !to_standard_output {
            let _ = io::stderr().write_all(text.as_bytes());
        } else if let Err(error) = print(&text) {
            warn(format!("{error:#}"));
            is_whole = false;
        }
    };
    print(&report::recorded(&audited));
    let mut written = Vec::new();
    let mut failed = Vec::new();
    for file in files.write_recorded(&audited, Instant::now() + PATIENCE) {
        match file {
            Ok(file) => written.push(file),
            Err(error) => failed.push(error),
        }
    }
    if let Some(text) = report::written_files(&written) {
        print(&text);
    }
    for error in &failed {
        warn(error);
    }
    print(&report::recorded_verdict(&audited));
    is_whole &= failed.is_empty();
    Ok(if is_whole {
        audited.exit_code
    } else {
        or_broke(audited.exit_code)
    })
}

fn audited(setup: &cli::RecordedSetup) -> Result<RecordedAudit, Refusal> {
    let refuse = |error: Unreadable| setup.refuse(&error);
    let memory = setup.audit.memory;
    let recording = Recording::survey(
        &setup.files,
        &setup.columns,
        setup.audit.clock_tolerance,
        memory / KEY_NAMES,
    )
    .map_err(refuse)?;
    let targets = recording.targets();
    let terms = Terms {
        promises: setup.audit.promises.clone(),
        limit: setup.limit,
        window: setup.window,
        targets: targets.len().max(1),
        timeout: setup.timeout,
        prior_use: setup.audit.prior_use,
        memory: memory - recording.keys().memory() - recording.probe_keys().memory(),
        clock_tolerance: setup.audit.clock_tolerance,
        excess_tolerance: setup.audit.excess_tolerance,
        cost: setup.cost,
        tiers: tiers(setup, recording.keys())?,
    };
    let reported = recording.audit(terms, &setup.columns).map_err(refuse)?;
    let nodes = reported.report.nodes.names(&targets);
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
        targets: &targets,
        nodes: &nodes,
        keys: recording.keys(),
        probe_keys: recording.probe_keys(),
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

/// The recorded keys' own limits and costs.
fn tiers(setup: &cli::RecordedSetup, recorded: &KeyNames) -> Result<Tiers, Refusal> {
    let Some(ListedKeys { keys, unused }) = &setup.listed else {
        return Ok(Tiers::default());
    };
    let of_key = recorded.tier_places(keys).ok_or_else(|| unused.clone())?;
    Ok(Tiers {
        of_key: of_key.into(),
        ..plan::tiers(keys)
    })
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
