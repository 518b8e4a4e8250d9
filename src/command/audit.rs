//! `loadgen audit`: the audit of recorded requests.

use super::printer::Printer;
use crate::base::Nanos;
use crate::cli::{self, ListedKeys, Refusal};
use crate::core::audit::{Terms, Tiers};
use crate::core::plan;
use crate::core::recorded::{Gap, KeyNames, StoppedStripe};
use crate::core::summary::{RecordedAudit, RecordedPart, RecordedRun, RequestFile, Until};
use crate::recording::{Recording, Unreadable};
use crate::report::{self, Files, PATIENCE};
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

/// Audits the requests of all files. Returns the exit code of the verdict.
pub fn audit(setup: &cli::RecordedSetup) -> anyhow::Result<u8> {
    let files = Files::open(&setup.outputs, &setup.inputs).map_err(Refusal::from)?;
    let audited = audited(setup)?;
    let mut printer = Printer::new(&files, setup.color);
    printer.print(&report::recorded(&audited));
    printer.print_files(files.write_recorded(&audited, Instant::now() + PATIENCE));
    printer.print(&report::recorded_verdict(&audited));
    Ok(printer.exit_code(audited.exit_code))
}

fn audited(setup: &cli::RecordedSetup) -> Result<RecordedAudit, Refusal> {
    let refuse = |error: Unreadable| setup.refuse(&error);
    let memory = setup.audit.memory;
    let recording = Recording::survey(
        &setup.files,
        &setup.columns,
        setup.clock_error,
        memory / KEY_NAMES,
    )
    .map_err(refuse)?;
    let targets = recording.targets();
    let names = names(&setup.files);
    let clock_errors: Vec<_> = recording.clock_errors().collect();
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
        uneven: Nanos::ZERO,
        is_partial: false,
    };
    let reported = recording.audit(terms, &setup.columns).map_err(refuse)?;
    let nodes = reported.report.nodes.names(&targets);
    let until = reported.until.map(|stop| {
        let StoppedStripe { stripe, last, .. } = stop.stripe;
        let why = Gap::Stopped { stripe, last }.describe(&names);
        Until { at: stop.at, why }
    });
    let gaps = match &until {
        Some(_) => Vec::new(),
        None => recording.gaps(),
    };
    let missing: Vec<_> = gaps.iter().map(|gap| gap.describe(&names)).collect();
    let files = names.iter().zip(recording.numbered_by());
    let files: Vec<_> = files
        .zip(&clock_errors)
        .map(|((name, numbered_by), clock_error)| RequestFile {
            name: name.clone(),
            numbered_by,
            clock_error: clock_error.unwrap_or_default(),
        })
        .collect();
    let run = RecordedRun {
        report: &reported.report,
        targets: &targets,
        nodes: &nodes,
        keys: recording.keys(),
        probe_keys: recording.probe_keys(),
        files: &files,
        missing: &missing,
        until: until.as_ref(),
        has_stripes: recording.has_stripes(),
        mean_time: recording.mean_time(),
    };
    let part = |(name, requests)| RecordedPart {
        name,
        requests,
        clock_error_ns: None,
    };
    let counted = names.into_iter().zip(reported.files).map(part);
    let with_errors = counted
        .zip(&clock_errors)
        .map(|(part, error)| RecordedPart {
            clock_error_ns: error.map(|error| error.0),
            ..part
        });
    let audit = run.audit();
    Ok(RecordedAudit::new(
        audit,
        recording.started(),
        with_errors.collect(),
        nodes.into_iter().zip(reported.nodes).map(part).collect(),
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
