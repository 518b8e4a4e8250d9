//! Programs on this machine.

use std::path::Path;

/// Whether the system finds this program, as `execvp` does: a name with a slash is a path, and any other name is looked for
/// in the folders of the variable `PATH`.
pub fn can_be_run(program: &str) -> bool {
    if program.contains('/') {
        return is_program(Path::new(program));
    }
    let folders = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let mut folders = std::env::split_paths(&folders);
    !program.is_empty() && folders.any(|folder| is_program(&folder.join(program)))
}

/// The folders that the C library searches if there is no variable.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use rustix::fs::{Access, access};
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name_or_its_path() {
        for (program, is_found) in [
            ("sh", true),
            ("/bin/sh", true),
            ("no-such-program", false),
            ("/bin", false),
            ("/etc/passwd", false),
            ("/no/such/program", false),
            ("", false),
        ] {
            assert_eq!(can_be_run(program), is_found, "{program}");
        }
    }
}
