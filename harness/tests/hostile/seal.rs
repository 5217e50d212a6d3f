//! Agents that try every door of the cell.

use crate::bench::{Bench, PYTHON, said};
use libtest_mimic::Failed;
use quietus::model::Ended;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;

/// Each line of output is one door: `name: what the kernel said`. Nothing here
/// does harm if a door is open: it asks for what is so already, or for what is
/// refused as senseless once it is allowed.
const DOORS: &str = r#"
import ctypes, errno, os, socket, struct, sys, fcntl
libc = ctypes.CDLL(None, use_errno=True)
def call(result):
    if result < 0: raise OSError(ctypes.get_errno(), '')
def write(path): os.close(os.open(path, os.O_WRONLY))
def door(name, attempt):
    try: attempt(); print(name + ': OPEN')
    except OSError as error: print(name + ': ' + errno.errorcode[error.errno])
def flags():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    now = fcntl.ioctl(s, 0x8913, struct.pack('16sH22x', b'lo', 0))
    fcntl.ioctl(s, 0x8914, now)
def device():
    os.mknod('disk', 0o60600, os.makedev(254, 0)); os.open('disk', os.O_RDONLY)
class Timex(ctypes.Structure):
    _fields_ = [('modes', ctypes.c_uint), ('rest', ctypes.c_char * 256)]
door('trace the init', lambda: call(libc.ptrace(0x4206, 1, 0, 0)))
door('the program of the init', lambda: os.stat('/proc/1/exe'))
door('memory of the init', lambda: write('/proc/1/mem'))
door('root of the init', lambda: os.listdir('/proc/1/root'))
door('descriptors of the init', lambda: os.readlink('/proc/1/fd/1'))
door('namespaces of the init', lambda: os.open('/proc/1/ns/mnt', 0))
door('host name', lambda: call(libc.sethostname(os.uname().nodename.encode(), len(os.uname().nodename))))
door('mount', lambda: call(libc.mount(b'x', b'/mnt', b'tmpfs', 0, 0)))
door('bind', lambda: call(libc.mount(b'/tmp', b'/mnt', 0, 4096, 0)))
door('remount', lambda: call(libc.mount(0, b'/', 0, 32 | 4096, 0)))
door('unmount', lambda: call(libc.umount2(b'/dev/shm', 2)))
door('clock', lambda: call(libc.adjtimex(ctypes.byref(Timex(0x4000)))))
door('swap', lambda: call(libc.swapoff(b'/no/such/swap')))
door('module', lambda: call(libc.syscall(175, 0, 0, b'')))
door('reboot', lambda: call(libc.syscall(169, 0, 0, 0, 0)))
door('device node', device)
door('disk', lambda: write('/dev/vda'))
door('memory device', lambda: write('/dev/mem'))
door('console', lambda: write('/dev/console'))
door('attributes of a device', lambda: os.chmod('/dev/full', 0o666))
door('times of a device', lambda: os.utime('/dev/full'))
door('host name by /proc', lambda: write('/proc/sys/kernel/hostname'))
door('crash handler', lambda: write('/proc/sys/kernel/core_pattern'))
door('magic keys', lambda: write('/proc/sysrq-trigger'))
door('cgroup', lambda: os.mkdir('/sys/fs/cgroup/quietus-hostile'))
door('sysfs', lambda: write('/sys/kernel/profiling'))
door('uevent', lambda: write('/sys/kernel/uevent_helper'))
door('interface', flags)
door('raw port', lambda: call(libc.iopl(3)))
def socket_of_the_host():
    s = socket.socket(socket.AF_UNIX); s.connect('host.sock')
door('socket of the host', socket_of_the_host)
print('to go first: ' + open('/proc/self/oom_score_adj').read().strip())
os.write(os.open('/dev/null', os.O_WRONLY), b'x')
print('null device: written')
"#;

pub(crate) fn holds(bench: &Bench) -> Result<(), Failed> {
    let _socket = UnixListener::bind(bench.directory().join("host.sock"))?;
    let record = bench.python(DOORS).run();
    let said = said(&record);
    assert_eq!(record.evidence.ended, Some(Ended::Exited(0)), "{said}");
    let doors: Vec<(&str, &str)> = said.lines().filter_map(|line| line.split_once(": ")).collect();
    assert_eq!(doors.len(), 32, "{said}");
    for (door, answer) in doors {
        let refused = match door {
            "to go first" => answer == "1000",
            "null device" => answer == "written",
            "module" => ["EPERM", "ENOSYS"].contains(&answer),
            "swap" | "clock" | "mount" | "bind" | "remount" | "unmount" | "reboot" | "host name" | "trace the init"
            | "interface" => answer == "EPERM",
            "socket of the host" => answer == "ECONNREFUSED",
            _ => ["EPERM", "EACCES", "EROFS", "ENOENT", "ENXIO", "ENOSYS"].contains(&answer),
        };
        assert!(refused, "{door}: {answer}");
    }
    Ok(())
}

/// What an agent does with its own rights, and what the host sees of it: nothing.
pub(crate) fn host_as_it_was(bench: &Bench) -> Result<(), Failed> {
    let look = || -> Result<_, Failed> {
        let device = std::path::Path::new("/dev/full").metadata()?;
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let nice = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(16).map(str::to_owned));
        let names = ["hostname", "core_pattern", "pid_max", "shmall", "domainname"]
            .map(|name| std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok());
        let score = std::fs::read_to_string("/proc/self/oom_score_adj")?;
        Ok((device.ctime_nsec(), device.mtime_nsec(), nice, names, score))
    };
    let before = look()?;
    let program = "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.setpriority(2, os.getuid(), 7)
libc.setpriority(1, 0, 7)
for path in ('/dev/full', '/dev/null', '/proc/sys/kernel/pid_max'):
    try: os.utime(path)
    except OSError: pass
libc.syscall.restype = ctypes.c_long
print(libc.syscall(250, 0, ctypes.c_int(-3), 0))
";
    let record = bench.python(program).run();
    assert_eq!(record.evidence.ended, Some(Ended::Exited(0)), "{}", said(&record));
    assert_eq!(look()?, before);
    // Keys an agent adds to its session are in a keyring that ends with the cell.
    let ours = std::process::Command::new(PYTHON)
        .args(["-c", "import ctypes; c = ctypes.CDLL(None); c.syscall.restype = ctypes.c_long; print(c.syscall(250, 0, ctypes.c_int(-3), 0))"])
        .output()?;
    let (ours, theirs) = (String::from_utf8_lossy(&ours.stdout).into_owned(), said(&record));
    assert!(ours != theirs || ours.trim() == "-1", "the session keyring is {ours} in the cell and outside");
    Ok(())
}

pub(crate) fn nested_namespaces(bench: &Bench) -> Result<(), Failed> {
    let program = "
import subprocess
for words in (['-Urm'], ['-Urmpf', '--mount-proc'], ['-Urn']):
    done = subprocess.run(['unshare', *words, 'sh', '-c', '''
        for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sysrq-trigger /dev/vda; do
            if [ -e $f ] && (: >> $f) 2>/dev/null; then echo OPEN $f; fi
        done
        mount -t proc none /mnt 2>/dev/null && (: >> /mnt/sys/kernel/core_pattern) 2>/dev/null && echo OPEN mnt
        umount -l /proc/sys 2>/dev/null && (: >> /proc/sys/kernel/core_pattern) 2>/dev/null && echo OPEN umount
        mount -o remount,rw,bind /proc/sys 2>/dev/null && (: >> /proc/sys/kernel/core_pattern) 2>/dev/null && echo OPEN rw
        mount -o remount,rw,bind /sys 2>/dev/null && mkdir /sys/fs/cgroup/quietus-hostile 2>/dev/null && echo OPEN sys
        chmod 666 /dev/full 2>/dev/null && echo OPEN device
        true'''], capture_output=True, text=True)
    print(done.stdout, end='')
print('tried', flush=True)
";
    let record = bench.python(program).run();
    assert_eq!(said(&record), "tried\n");
    Ok(())
}
