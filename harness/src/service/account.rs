//! Whom a server runs as that refuses to run as root.

use super::search;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A user who is not root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Account {
    /// None for an ordinary user, who can only be himself. For root the user of this name,
    /// or nobody.
    pub(super) fn for_root(name: &str) -> Result<Option<Self>, String> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let found = [name, "nobody"].iter().find_map(|name| of(&users, name));
        found.map(Some).ok_or_else(|| format!("it does not run as root, and there is no user `{name}` or `nobody`"))
    }

    /// The command as this user's.
    pub(super) fn runs(self, command: Vec<OsString>, path: Option<&OsStr>) -> Result<Vec<OsString>, String> {
        let setpriv = search::program("setpriv", path)
            .or_else(|| search::program("setpriv", Some(OsStr::new("/usr/bin:/bin"))))
            .ok_or("it does not run as root, and setpriv is not installed (Debian's package is util-linux)")?;
        let ids = [format!("--reuid={}", self.user), format!("--regid={}", self.group)].map(OsString::from);
        let words = [OsString::from(setpriv)].into_iter().chain(ids).chain(["--clear-groups".into(), "--".into()]);
        Ok(words.chain(command).collect())
    }

    /// Gives the user a directory.
    pub(super) fn owns(self, directory: &Path) -> Result<(), String> {
        let (user, group) = (rustix::fs::Uid::from_raw(self.user), rustix::fs::Gid::from_raw(self.group));
        rustix::fs::chown(directory, Some(user), Some(group))
            .map_err(|errno| format!("cannot give {} to user {}: {errno}", directory.display(), self.user))
    }
}

/// A line of passwd(5).
fn of(users: &str, name: &str) -> Option<Account> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (known, _) = (fields.next()?, fields.next()?);
        let account = Account { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? };
        (known == name && account.user != 0).then_some(account)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken\nnobody:x:65534:65534::/:/bin/false\n";
        assert_eq!(of(users, "nobody"), Some(Account { user: 65534, group: 65534 }));
        assert_eq!(of(users, "root"), None);
        assert_eq!(of(users, "postgres"), None);
    }
}
