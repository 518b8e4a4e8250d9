//! The processes that a command has started, found in `/proc`.
//!
//! A process gets its parent's environment, so the [`TAG`] there finds descendants that have left the group of their command,
//! as daemons do. It does not find a process that was started with another environment, that has overwritten the memory of
//! its own, or that this process may not look into.

use super::TAG;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;

/// Sends a signal to each process with this tag.
pub fn signal(tag: &str, signal: Signal) {
    for (pid, _) in processes().filter(|(_, place)| has_tag(place, tag)) {
        let _ = kill_process(pid, signal);
    }
}

/// Whether there is a process in this group, if one is given, or with this tag that has not ended. One that has ended may stay for long, until
/// its parent takes notice.
pub fn exist(group: Option<Pid>, tag: &str) -> bool {
    processes().any(|(_, place)| {
        group.is_some_and(|group| is_in_group(&place, group)) || has_tag(&place, tag)
    })
}

/// All processes but this one, with their folders.
fn processes() -> impl Iterator<Item = (Pid, std::path::PathBuf)> {
    let own = rustix::process::getpid();
    let folders = fs::read_dir("/proc").into_iter().flatten();
    folders.filter_map(move |folder| {
        let folder = folder.ok()?;
        let number = folder.file_name().to_str()?.parse().ok()?;
        let pid = Pid::from_raw(number).filter(|pid| *pid != own)?;
        Some((pid, folder.path()))
    })
}

/// A process that has ended has no environment any more.
fn has_tag(process: &Path, tag: &str) -> bool {
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    let tags =
        variables.find_map(|variable| variable.strip_prefix(TAG.as_bytes())?.strip_prefix(b"="));
    let mut tags = tags.unwrap_or_default().split(|byte| *byte == b',');
    tags.any(|other| other == tag.as_bytes())
}

fn is_in_group(process: &Path, group: Pid) -> bool {
    let status = fs::read_to_string(process.join("stat")).unwrap_or_default();
    // The name of the program, in parentheses, may have any character. Then come its state, its parent and its group.
    let behind_name = status.rsplit_once(')').map_or("", |(_, behind)| behind);
    let mut fields = behind_name.split_whitespace();
    let has_ended = matches!(fields.next(), None | Some("Z" | "X"));
    let its_group = fields.nth(1).and_then(|group| group.parse().ok());
    !has_ended && its_group == Some(group.as_raw_nonzero().get())
}
