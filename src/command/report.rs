//! `loadgen report`: a page of saved summaries.

use super::print;
use crate::cli::{self, Refusal};
use crate::core::exit_code;
use crate::report::{self, Access, PATIENCE, html, write_whole};
use std::time::Instant;

/// Writes the report of one summary, or the comparison of several.
pub fn report(options: &cli::Report) -> anyhow::Result<u8> {
    let output = options.output()?;
    let file = report::open_single(output, "--output", Access::Owner, &options.inputs());
    let file = file.map_err(Refusal::from)?;
    let summaries = options.summaries()?;
    let page = match &summaries[..] {
        [(_, only)] => html::page(only),
        several => html::comparison(several, &report::with_the_first(several)),
    };
    match file {
        None => print(&page),
        Some(file) => {
            write_whole(file, page.into_bytes(), Instant::now() + PATIENCE)?;
            Ok(exit_code::FINE)
        }
    }
}
