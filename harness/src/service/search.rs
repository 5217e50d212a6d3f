//! Where programs are installed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// A program in a PATH.
pub(super) fn program(name: &str, search: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(search?)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|path| is_program(path))
}

/// The directory with the newest server of PostgreSQL: Debian keeps those out of PATH.
pub(super) fn postgres(search: Option<&OsStr>, versions: &Path) -> Option<PathBuf> {
    let both = |directory: &Path| ["postgres", "initdb"].iter().all(|name| is_program(&directory.join(name)));
    let in_path = search.into_iter().flat_map(std::env::split_paths).filter(|directory| directory.is_absolute());
    let mut installed: Vec<(u32, PathBuf)> = std::fs::read_dir(versions)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    installed.sort();
    in_path.chain(installed.into_iter().rev().map(|(_, directory)| directory)).find(|directory| both(directory))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn install(directory: &Path) {
        std::fs::create_dir_all(directory).expect("made");
        for name in ["postgres", "initdb"] {
            let path = directory.join(name);
            std::fs::write(&path, "").expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("set");
        }
    }

    #[test]
    fn the_newest_server_is_found_and_one_in_path_comes_first() {
        let here = tempfile::tempdir().expect("a directory");
        let versions = here.path().join("versions");
        assert_eq!(postgres(None, &versions), None);
        for version in ["9", "15", "common"] {
            install(&versions.join(version).join("bin"));
        }
        std::fs::create_dir_all(versions.join("16/bin")).expect("made");
        assert_eq!(postgres(None, &versions), Some(versions.join("15/bin")));
        let own = here.path().join("own");
        install(&own);
        assert_eq!(postgres(Some(own.as_os_str()), &versions), Some(own.clone()));
        assert_eq!(program("initdb", Some(own.as_os_str())), Some(own.join("initdb")));
        assert_eq!(program("initdb", Some(OsStr::new("/no/such"))), None);
    }
}
