//! Quietus is started by somebody careless, in a place that is odd.

use crate::ground::{Ground, Person, ended, no_panic, quietus, quoted, shown};
use libtest_mimic::Failed;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs a line of bash in which `$Q` stands for a check of the leaky agent, up
/// to its options, and `$A` for the agent.
fn bash(ground: &Ground, person: Person, line: &str) -> Command {
    let check = quoted(&[quietus()]) + " check --kind job --progress plain --confirm 0 --at output:/ready/";
    let line = line.replace("$Q", &check).replace("$A", &format!("-- {}", quoted(&ground.leaky())));
    let mut command = person.command(&["bash", "-c", &line]);
    command.current_dir(ground.path()).stdin(Stdio::null());
    command
}

fn found(output: &Output) {
    let text = shown(output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("orphan-process") && text.contains("temp-file"), "{text}");
}

pub(crate) fn ignored_children(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    found(&ended(&ground, &mut bash(&ground, person, "trap '' CHLD; exec $Q $A"))?);
    Ok(())
}

pub(crate) fn without_streams(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    for closed in ["<&- >&- 2>&-", "<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-"] {
        let output = ended(&ground, &mut bash(&ground, person, &format!("exec $Q --output report.json $A {closed}")))?;
        assert_eq!(output.status.code(), Some(1), "{closed}: {}", shown(&output));
        let report = std::fs::read_to_string(ground.path().join("report.json"))?;
        let report = quietus_reports::from_json(&report).map_err(|error| error.to_string())?;
        let trial = report.runs.first().and_then(|run| run.trials.first()).ok_or("no trial")?;
        assert_eq!(trial.status.as_deref(), Some("signal 15 (TERM)"), "{closed}: {trial:?}");
        std::fs::remove_file(ground.path().join("report.json"))?;
    }
    Ok(())
}

pub(crate) fn reader_gone(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    for line in [
        "$Q --verbose $A | head -1; exit ${PIPESTATUS[0]}",
        "$Q --verbose $A 2>&1 | head -1; exit ${PIPESTATUS[0]}",
        "$Q $A | true; exit ${PIPESTATUS[0]}",
        "$Q --output /dev/stdout $A | true; exit ${PIPESTATUS[0]}",
    ] {
        let output = ended(&ground, &mut bash(&ground, person, line))?;
        assert_eq!(output.status.code(), Some(1), "{line}: {}", shown(&output));
    }
    // A disk that is full is one: the report is lost.
    let output = ended(&ground, &mut bash(&ground, person, "$Q $A >/dev/full"))?;
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains("cannot write to standard output"), "{}", shown(&output));
    Ok(())
}

pub(crate) fn few_descriptors(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    found(&ended(&ground, &mut bash(&ground, person, "ulimit -n 64; exec $Q $A"))?);
    for few in [4, 8, 12, 16, 24, 32] {
        let output =
            ended(&ground, &mut bash(&ground, person, &format!("ulimit -n {few}; exec $Q -j 16 --repeat 32 $A")))?;
        assert!([1, 3, 4].contains(&output.status.code().unwrap_or(-1)) || few < 8, "{few}: {}", shown(&output));
        no_panic(&output);
    }
    Ok(())
}

pub(crate) fn few_processes(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    for few in [1, 2, 3, 4, 6, 10, 50] {
        let output =
            ended(&ground, &mut bash(&ground, person, &format!("ulimit -u {few}; exec $Q -j 8 --repeat 8 $A")))?;
        let code = output.status.code().unwrap_or(-1);
        // Root is not bound by it; another cannot have what it may not have, and is told.
        assert!((0..=4).contains(&code), "{few}: {}", shown(&output));
        if rustix::process::geteuid().is_root() && person == Person::Oneself {
            found(&output);
        }
    }
    Ok(())
}

/// Names with everything that has a meaning in mount options, shells and tables.
const NAMES: [&str; 9] =
    ["with space", "a,b:c\\d", "new\nline", "quote'\"$(id)`", "-dash", "%s%n", "upperdir=x", "\u{1b}[31mred", "ünï"];

pub(crate) fn odd_names(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    for name in NAMES {
        let place = ground.path().join(name);
        std::fs::create_dir(&place)?;
        if person == Person::Nobody {
            std::os::unix::fs::chown(&place, Some(65534), Some(65534))?;
        }
        let output = ended(&ground, bash(&ground, person, "exec $Q $A").current_dir(&place))?;
        found(&output);
        assert!(shown(&output).contains("stray-file"), "{name:?}: {}", shown(&output));
        assert!(!output.stdout.contains(&0x1b), "{name:?}: {}", shown(&output));
        assert_eq!(std::fs::read_dir(&place)?.count(), 0, "{name:?}");
    }
    Ok(())
}

pub(crate) fn directory_gone(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    let output = ended(&ground, &mut bash(&ground, person, "mkdir gone; cd gone; rmdir ../gone; exec $Q $A"))?;
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains("the current directory does not exist any more"), "{}", shown(&output));
    Ok(())
}

pub(crate) fn directory_closed(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    std::fs::set_permissions(ground.path(), std::fs::Permissions::from_mode(0o555))?;
    let output = ended(&ground, &mut bash(&ground, person, "exec $Q $A"))?;
    found(&output);
    // Below a directory that only its owner may enter.
    let below = ground.path().join("closed/below");
    std::fs::create_dir_all(&below)?;
    std::fs::set_permissions(ground.path().join("closed"), std::fs::Permissions::from_mode(0o700))?;
    let output = ended(&ground, bash(&ground, person, "exec $Q $A").current_dir(&below))?;
    match person {
        Person::Oneself => found(&output),
        Person::Nobody => assert_eq!(output.status.code(), Some(2), "{}", shown(&output)),
    }
    Ok(())
}

pub(crate) fn directory_in_memory(person: Person) -> Result<(), Failed> {
    let ground = Ground::below(person, Path::new("/dev/shm"))?;
    let output = ended(&ground, &mut bash(&ground, person, "exec $Q $A"))?;
    found(&output);
    assert_eq!(std::fs::read_dir(ground.path())?.count(), 0);
    Ok(())
}

/// Mounts of a mount namespace of its own: over the directory, below it, and a file.
pub(crate) fn directory_bound(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    for name in ["here", "there"] {
        std::fs::create_dir(ground.path().join(name))?;
        if person == Person::Nobody {
            std::os::unix::fs::chown(ground.path().join(name), Some(65534), Some(65534))?;
        }
    }
    std::fs::write(ground.path().join("there/file"), "bound")?;
    std::fs::write(ground.path().join("file"), "")?;
    let unshare = if person == Person::Nobody { "unshare -Urm" } else { "unshare -m" };
    let inner = "mount --bind there here && mount --bind there/file file && mkdir -p there/deep && mount -t tmpfs none there/deep && cd here && exec $Q $A";
    let inner = inner
        .replace("$Q", &(quoted(&[quietus()]) + " check --kind job --progress plain --confirm 0 --at output:/ready/"))
        .replace("$A", &format!("-- {}", quoted(&ground.leaky())));
    let output = ended(&ground, &mut bash(&ground, person, &format!("{unshare} sh -c {}", quoted(&[inner]))))?;
    match person {
        Person::Oneself => found(&output),
        // In a user namespace a directory with mounts below cannot be overlaid, and that is said.
        Person::Nobody => {
            let text = shown(&output);
            assert_eq!(output.status.code(), Some(1), "{text}");
            assert!(text.contains("orphan-process") && text.contains("changes below /tmp"), "{text}");
        }
    }
    assert_eq!(std::fs::read_to_string(ground.path().join("there/file"))?, "bound");
    Ok(())
}

pub(crate) fn outputs(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    let line = "set -e; mkfifo pipe; echo old > target; ln -s target link; cat pipe > copy & \
        for to in /dev/null pipe link new.json; do $Q --format json --output $to $A || [ $? = 1 ]; done; wait";
    let output = ended(&ground, &mut bash(&ground, person, line))?;
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    assert!(Path::new("/dev/null").metadata()?.file_type().is_char_device());
    assert!(ground.path().join("pipe").symlink_metadata()?.file_type().is_fifo());
    assert!(ground.path().join("link").symlink_metadata()?.is_symlink());
    for name in ["copy", "target", "new.json"] {
        let text = std::fs::read_to_string(ground.path().join(name))?;
        assert!(quietus_reports::from_json(&text).is_ok(), "{name}: {text}");
    }
    assert_eq!(ground.path().join("new.json").metadata()?.mode() & 0o600, 0o600);
    let mut names: Vec<String> = std::fs::read_dir(ground.path())?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["copy", "link", "new.json", "pipe", "target"]);
    Ok(())
}

/// How much memory Quietus itself may have used, in kilobytes.
const MOST_MEMORY: u64 = 600_000;

pub(crate) fn memory(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    let agent = "
import os, signal
for i in range(200000): os.mknod('/tmp/part-%06d' % i)
os.truncate(os.open('/tmp/sparse', os.O_CREAT | os.O_WRONLY), 10 << 30)
print('ready', flush=True)
block = b'x' * (1 << 20)
for _ in range(128):
    rest = block
    while rest: rest = rest[os.write(1, rest):]
for i in range(200000): os.unlink('/tmp/part-%06d' % i)
os.unlink('/tmp/sparse')
";
    let measure = "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); print('used', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)";
    let quietus = quietus();
    let words = [
        "/usr/bin/python3",
        "-c",
        measure,
        &quietus,
        "check",
        "--kind",
        "job",
        "--confirm",
        "0",
        "--progress",
        "plain",
        "--control-timeout",
        "120s",
        "--at",
        "output:/ready/",
        "--",
        "/usr/bin/python3",
        "-c",
        agent,
        &ground.mark,
    ];
    let output = ended(&ground, person.command(&words).current_dir(ground.path()))?;
    let text = shown(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("200000 temporary files") && text.contains("10.7 GB"), "{text}");
    let used: u64 = text.lines().find_map(|line| line.strip_prefix("used ")).ok_or("not measured")?.parse()?;
    assert!(used < MOST_MEMORY, "{used} kB of memory were used");
    Ok(())
}

/// Quietus in a cell of Quietus says what it can and cannot do there.
pub(crate) fn inside_itself(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    let quietus = quietus();
    let inner = "\"$0\" check --kind job --confirm 0 --at start -- sleep 5; code=$?; echo inner $code; exit $code";
    let words = [
        &*quietus,
        "check",
        "--kind",
        "job",
        "--confirm",
        "0",
        "--progress",
        "plain",
        "--verbose",
        "--control-timeout",
        "120s",
        "--at",
        "output:/inner/",
        "--",
        "sh",
        "-c",
        inner,
        &quietus,
        &ground.mark,
    ];
    let output = ended(&ground, person.command(&words).current_dir(ground.path()))?;
    let text = shown(&output);
    assert!(output.status.code().is_some_and(|code| code <= 3), "{text}");
    assert!(["exit 0", "exit 1", "exit 3", "exit 4"].iter().any(|how| text.contains(how)), "{text}");
    Ok(())
}
