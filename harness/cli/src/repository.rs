//! The repository in which a report is rendered: where the files lie that it names.

use quietus_reports::{Report, Repository};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Of a folder with more files than these the rest is not looked at.
const MOST_FILES: usize = 200_000;
/// Folders of what is made or installed, not written.
const NOT_SOURCES: [&str; 6] = ["node_modules", "target", "__pycache__", "venv", "site-packages", "vendor"];

/// The repository around the current directory, and what of it `report` names.
pub(crate) fn repository(report: &Report) -> Repository {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let root = here.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&here).to_path_buf();
    let files = files(&Repository::named(report), &here, &root);
    Repository { root: shown(&root), files, fallback: "quietus.toml".to_owned() }
}

/// Where the named files lie: as seen from the current directory, or the only one in the
/// repository with that name. Of several the one beside another that is named, if that is one.
fn files(named: &BTreeSet<String>, here: &Path, root: &Path) -> BTreeMap<String, String> {
    let is_ours = |path: &Path| path.starts_with(root) && path.is_file();
    let (mut found, mut sought) = (BTreeMap::new(), BTreeMap::new());
    for name in named {
        let direct = plain(&here.join(name));
        if is_ours(&direct) {
            found.insert(name.clone(), direct);
        } else if let Some(last) = Path::new(name).file_name().filter(|_| Path::new(name).is_relative()) {
            sought.insert(name.clone(), (last.to_owned(), Vec::new()));
        }
    }
    if !sought.is_empty() {
        for path in sources(root) {
            for (name, (last, places)) in &mut sought {
                if path.file_name() == Some(last) && path.ends_with(plain(Path::new(name))) {
                    places.push(path.clone());
                }
            }
        }
    }
    let (only, several): (Vec<_>, Vec<_>) =
        sought.into_iter().map(|(name, (_, places))| (name, places)).partition(|(_, places)| places.len() == 1);
    found.extend(only.into_iter().filter_map(|(name, mut places)| Some((name, places.pop()?))));
    let folders: BTreeSet<PathBuf> = found.values().filter_map(|path| Some(path.parent()?.to_path_buf())).collect();
    for (name, places) in several {
        let mut beside = places.into_iter().filter(|path| path.parent().is_some_and(|above| folders.contains(above)));
        if let (Some(path), None) = (beside.next(), beside.next()) {
            found.insert(name, path);
        }
    }
    found.into_iter().map(|(name, path)| (name, shown(&path))).collect()
}

/// Every file below a folder that somebody may have written.
fn sources(root: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let hidden = name.as_encoded_bytes().starts_with(b".");
            // A link leads to what lies elsewhere, or round in circles.
            match entry.file_type() {
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                Ok(kind) if kind.is_dir() && !hidden && !NOT_SOURCES.iter().any(|it| name == *it) => {
                    folders.push(entry.path());
                }
                _ => {}
            }
            if files.len() == MOST_FILES {
                return files;
            }
        }
    }
    files
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[&str], named: &[&str], here: &str) -> Vec<String> {
        let root = tempfile::tempdir().expect("a directory");
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, "").expect("a file");
        }
        let named = named.iter().map(|name| (*name).to_owned()).collect();
        let seen = super::files(&named, &root.path().join(here), root.path());
        let inside = |path: &String| path.strip_prefix(&shown(root.path())).unwrap_or(path).to_owned();
        seen.iter().map(|(name, path)| format!("{name} {}", inside(path))).collect()
    }

    #[test]
    fn a_file_is_where_its_path_leads_or_where_its_name_is_alone() {
        let files =
            ["agents/one/agent.py", "src/db.py", "here/x.toml", "node_modules/a/lib.js", "a/twice.py", "b/twice.py"];
        let named =
            ["agent.py", "../src/db.py", "x.toml", "lib.js", "twice.py", "none.py", "/usr/x.toml", "/etc/passwd"];
        let expected = ["../src/db.py /src/db.py", "agent.py /agents/one/agent.py", "x.toml /here/x.toml"];
        assert_eq!(found(&files, &named, "here"), expected);
    }

    #[test]
    fn of_two_alike_the_one_beside_the_agent_is_meant() {
        let files = ["one/agent.py", "one/tools.py", "two/other.py", "two/tools.py", "three/tools.py"];
        assert_eq!(
            found(&files, &["one/agent.py", "tools.py"], ""),
            ["one/agent.py /one/agent.py", "tools.py /one/tools.py"]
        );
        let both = ["one/agent.py", "two/other.py", "tools.py"];
        assert_eq!(found(&files, &both, ""), ["one/agent.py /one/agent.py", "two/other.py /two/other.py"]);
    }
}
