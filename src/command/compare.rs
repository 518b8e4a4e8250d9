//! `loadgen compare`: whether runs differ by more than noise.

use super::{or_broke, print, warn};
use crate::cli::{self, Refusal, Sides};
use crate::report::{self, Access, Compared, PATIENCE, html, write_whole};
use std::time::Instant;

/// Prints the comparison, and writes its page. Returns the exit code of the conditions.
pub fn compare(options: &cli::Compare) -> anyhow::Result<u8> {
    let file = match options.output() {
        Some(output) => {
            let inputs = options.inputs();
            let file = report::open_single(Some(output), "--output", Access::Owner, &inputs);
            file.map_err(Refusal::from)?
        }
        None => None,
    };
    let Sides { runs, base } = options.sides()?;
    let (olds, news) = runs.split_at(base);
    let compared = Compared::new(olds, news, options.conditions());
    let code = compared.exit_code();
    print(&report::compared(&compared))?;
    if let Some(file) = file {
        let page = html::comparison(&runs, std::slice::from_ref(&compared));
        if let Err(error) = write_whole(file, page.into_bytes(), Instant::now() + PATIENCE) {
            warn(error);
            return Ok(or_broke(code));
        }
    }
    Ok(code)
}
