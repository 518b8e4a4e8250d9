//! Writes example summaries into a folder, for the pages that a browser looks at.

#[path = "../../support/summaries.rs"]
mod summaries;

use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = env::args_os().nth(1).ok_or("usage: summaries FOLDER")?;
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder)?;
    for (name, summary) in summaries::examples() {
        let text = serde_json::to_string(&summary)?;
        fs::write(folder.join(name).with_extension("json"), text)?;
    }
    Ok(())
}
