mod run;

use anyhow::Context;
use loadgen::cli::{self, Asked, Refusal};
use loadgen::core::plan::Plan;
use loadgen::core::{exit_code, presets};
use loadgen::engine::RunError;
use loadgen::report::{PATIENCE, ResultFile, html, timetable, write_whole};
use loadgen::system::temporary_files;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

/// However a run ends, no file stays that is not complete.
struct CleanUp;

impl Drop for CleanUp {
    fn drop(&mut self) {
        temporary_files::remove_all();
    }
}

fn main() -> ExitCode {
    let _clean_up = CleanUp;
    let done = match cli::parse(std::env::args_os()) {
        Ok(asked) => carry_out(asked),
        Err(Refusal::Asked(text)) => tell(&text),
        Err(refusal) => Err(refusal.into()),
    };
    let error = match done {
        Ok(code) => return code,
        Err(error) => error,
    };
    warn(format!("{error:#}"));
    let no_target = |error| matches!(error, &RunError::NoTargetResolves(_));
    match error.is::<Refusal>() || error.downcast_ref().is_some_and(no_target) {
        true => ExitCode::from(exit_code::REFUSED),
        false => ExitCode::from(exit_code::BROKE),
    }
}

fn carry_out(asked: Asked) -> anyhow::Result<ExitCode> {
    match asked {
        Asked::Run(arguments) => run::run(&arguments),
        Asked::Plan(arguments) => tell(&timetable(&Plan::new(&arguments)?)),
        Asked::Presets(None) => tell(&presets::table()),
        Asked::Presets(Some(preset)) => tell(&presets::details(preset)),
        Asked::Report(asked) => report(&asked),
        Asked::Completions(shell) => tell(&cli::completions(shell)),
        Asked::Man => tell(&cli::man()),
    }
}

/// Of one summary its page, of several their comparison.
fn report(asked: &cli::Report) -> anyhow::Result<ExitCode> {
    let summaries = asked.summaries()?;
    let page = match &summaries[..] {
        [(_, only)] => html::page(only),
        several => html::comparison(several),
    };
    let Some(path) = asked.output() else {
        return tell(&page);
    };
    let file = ResultFile::open(path).map_err(|error| asked.refuse_output(&error))?;
    write_whole(file, page.into_bytes(), Instant::now() + PATIENCE)?;
    Ok(ExitCode::SUCCESS)
}

fn tell(text: &str) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// Where standard error can't be written to, there is nobody left to tell.
fn warn(what: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "loadgen: {what}");
}
