use loadgen::cli::Command;
use loadgen::command::{carry_out, exit_code_of, warn};
#[cfg(unix)]
use loadgen::system::guard;
use loadgen::system::{signals, temporary_files};
use std::process::ExitCode;

/// Removes incomplete files when the command ends, also by a panic.
struct CleanUp;

impl Drop for CleanUp {
    fn drop(&mut self) {
        temporary_files::remove_all();
    }
}

fn main() -> ExitCode {
    #[cfg(unix)]
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == guard::ARGUMENT)
    {
        guard::stand();
        return ExitCode::SUCCESS;
    }
    let _clean_up = CleanUp;
    // Without this, a limit on a file's size ends the process without a message.
    let _ = signals::ignore_file_size_limit();
    let command = Command::parse(std::env::args_os()).map_err(anyhow::Error::from);
    let code = command.and_then(carry_out).unwrap_or_else(|error| {
        warn(format!("{error:#}"));
        exit_code_of(&error)
    });
    ExitCode::from(code)
}
