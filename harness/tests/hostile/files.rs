//! Agents that make too many files, too large, too deep, or of the wrong place.

use crate::bench::{Bench, said};
use libtest_mimic::Failed;
use quietus::model::{Ended, FileChange, Stdin};
use quietus::trial::Outcome;
use std::os::unix::fs::MetadataExt;

pub(crate) fn many(bench: &Bench) -> Result<(), Failed> {
    let program = "
import os
for i in range(200000): os.mknod('/tmp/part-%06d' % i)
print('ready', flush=True)
import signal; signal.pause()
";
    let agent = bench.python(program).at("output:/ready/", "TERM");
    let record = agent.run();
    assert_eq!(record.outcome, Outcome::Ended);
    assert_eq!((record.evidence.files.nodes.len(), record.evidence.files.omitted), (200_000, 0));
    let found = agent.judge(&record);
    let titles: Vec<&str> = found.iter().map(|one| one.title.as_str()).collect();
    assert_eq!(titles.len(), 1, "{titles:?}");
    assert!(titles[0].contains("200000 temporary files"), "{titles:?}");
    Ok(())
}

pub(crate) fn sparse(bench: &Bench) -> Result<(), Failed> {
    let program = "
import os, signal
os.truncate(os.open('/tmp/sparse', os.O_CREAT | os.O_WRONLY), 10 << 30)
print('ready', flush=True)
signal.pause()
";
    let agent = bench.python(program).at("output:/ready/", "TERM");
    let record = agent.run();
    let node = record.evidence.files.nodes.get("/tmp/sparse").ok_or("not seen")?;
    assert_eq!((node.size, node.content.is_none()), (10 << 30, true));
    let found = agent.judge(&record);
    assert!(found.iter().any(|one| one.evidence.iter().any(|fact| fact.contains("10.7 GB"))), "{found:?}");
    Ok(())
}

pub(crate) fn deep(bench: &Bench) -> Result<(), Failed> {
    let program = "
import os
os.chdir('/tmp')
for i in range(5000):
    os.mkdir('d'); os.chdir('d')
open('bottom', 'w').close()
";
    let agent = bench.python(program);
    let record = agent.run();
    assert_eq!((&record.outcome, record.evidence.ended), (&Outcome::Ended, Some(Ended::Exited(0))));
    let unread = &record.evidence.files.unread;
    assert_eq!(unread.len(), 1, "{unread:?}");
    assert!(unread[0].1.contains("deeper than 200 directories"), "{unread:?}");
    let found = agent.judge(&record);
    assert_eq!(found.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>(), ["/tmp/d"]);
    Ok(())
}

pub(crate) fn links(bench: &Bench) -> Result<(), Failed> {
    let elsewhere = tempfile::Builder::new().prefix("hostile-target-").tempdir_in("/tmp")?;
    let target = elsewhere.path().join("target");
    std::fs::write(&target, "the host's")?;
    let program = format!(
        "
import os, shutil
os.symlink('/', 'root'); os.symlink({target:?}, 'file'); os.symlink('..', 'up'); os.symlink('loop', 'loop')
open('file', 'w').write('overwritten')
os.chmod('root' + {target:?}, 0o600)
open('root/tmp/through', 'w').write('x')
shutil.rmtree('up/' + os.path.basename({elsewhere:?}))
",
        target = target.to_string_lossy(),
        elsewhere = elsewhere.path().to_string_lossy(),
    );
    let record = bench.python(&program).run();
    assert_eq!(record.evidence.ended, Some(Ended::Exited(0)), "{}", said(&record));
    assert_eq!(std::fs::read_to_string(&target)?, "the host's");
    assert_eq!(std::fs::read_dir(bench.directory())?.count(), 0);
    let changed = |path: &str| record.evidence.files.nodes.get(path).map(|node| node.change);
    assert_eq!(changed("/tmp/through"), Some(FileChange::Created));
    assert_eq!(changed(&elsewhere.path().to_string_lossy()), Some(FileChange::Deleted));
    Ok(())
}

pub(crate) fn unreadable(bench: &Bench) -> Result<(), Failed> {
    let program = "
import os, signal
os.mkdir('closed'); open('closed/inside', 'w').write('x'); open('secret', 'w').write('y')
os.chmod('closed/inside', 0); os.chmod('closed', 0); os.chmod('secret', 0)
os.mkdir('/tmp/shut'); os.chmod('/tmp/shut', 0)
print('ready', flush=True)
signal.pause()
";
    let agent = bench.python(program).at("output:/ready/", "TERM");
    let record = agent.run();
    for (path, mode, content) in
        [("closed/inside", 0, Some(&b"x"[..])), ("secret", 0, Some(b"y")), ("closed", 0, None), ("/tmp/shut", 0, None)]
    {
        let path = bench.directory().join(path).to_string_lossy().into_owned();
        let node = record.evidence.files.nodes.get(&path).ok_or_else(|| format!("{path} is not seen"))?;
        assert_eq!((node.mode, node.content.as_deref()), (mode, content), "{path}");
    }
    assert!(record.evidence.files.unread.is_empty(), "{:?}", record.evidence.files.unread);
    Ok(())
}

/// What a deleted file held is kept, but not all of a whole disk.
pub(crate) fn deleted(bench: &Bench) -> Result<(), Failed> {
    for index in 0..200 {
        std::fs::File::create(bench.directory().join(format!("large-{index}")))?.set_len(1 << 20)?;
    }
    let program = "
import os
for name in sorted(os.listdir('.'))[:100]: os.unlink(name)
for name in os.listdir('.'): open(name, 'a').write('x')
";
    let record = bench.python(program).run();
    assert_eq!(record.evidence.ended, Some(Ended::Exited(0)), "{}", said(&record));
    let nodes = &record.evidence.files.nodes;
    let count = |change| nodes.values().filter(|node| node.change == change).count();
    assert_eq!((count(FileChange::Deleted), count(FileChange::Modified)), (100, 100));
    let kept: usize = nodes.values().flat_map(|node| [&node.before, &node.content]).flatten().map(Vec::len).sum();
    assert!((1..=64 << 20).contains(&kept), "{kept} bytes are kept");
    assert_eq!(std::fs::read_dir(bench.directory())?.count(), 200);
    Ok(())
}

pub(crate) fn input(bench: &Bench) -> Result<(), Failed> {
    let file = bench.directory().join("input");
    std::fs::write(&file, "the host's\n")?;
    let program = "
import os, sys
print('read', sys.stdin.read(), end='')
fd = os.open('/proc/self/fd/0', os.O_WRONLY | os.O_TRUNC)
os.write(fd, b'overwritten')
os.fchmod(0, 0o600)
print('wrote', flush=True)
";
    let record = bench.python(program).stdin(Stdin::File("input".to_owned())).run();
    assert_eq!(said(&record), "read the host's\nwrote\n");
    assert_eq!(std::fs::read_to_string(&file)?, "the host's\n");
    assert_eq!(file.metadata()?.mode() & 0o777, 0o644 & !umask(&file)?);
    let missing = bench.agent(["true"]).stdin(Stdin::File("no-such-file".to_owned())).try_run();
    assert!(missing.is_err_and(|error| error.to_string().contains("standard input from `no-such-file`")));
    Ok(())
}

/// The bits that a new file does not get here.
fn umask(beside: &std::path::Path) -> Result<u32, Failed> {
    let probe = beside.with_extension("probe");
    std::fs::write(&probe, "")?;
    let mode = probe.metadata()?.mode() & 0o777;
    std::fs::remove_file(&probe)?;
    Ok(0o666 & !mode)
}

pub(crate) fn locks(bench: &Bench) -> Result<(), Failed> {
    let path = bench.directory().join("locked");
    let file = std::fs::File::create(&path)?;
    file.lock()?;
    let program = "
import fcntl
f = open('locked', 'r+')
fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
print('locked', flush=True)
";
    let record = bench.python(program).run();
    assert_eq!(
        said(&record),
        "locked\n",
        "a lock of the host is seen in the cell, so one of the cell holds up the host"
    );
    Ok(())
}
