"""One process of quietus: started, waited for, and ended in order if that is what it takes.

Quietus ends its trials when it is told to stop, and at once when it is told twice. So it gets
each request once: it has a session of its own, where no Ctrl-C of the terminal reaches it beside
ours; an interrupt of this process is handed on and the end is waited for; and should this process
vanish, the kernel asks quietus to stop.
"""

import os
import signal
import subprocess
import sys
from typing import IO, Mapping, Optional, Sequence

# How long it is waited for after it was asked to stop, and after that once more.
_PATIENCE = 30.0
_LAST_PATIENCE = 10.0

# By these, jobs of a CI share the scenarios out among them. A test is one whole run.
_SHARDS = frozenset(
    [
        "BUILDKITE_PARALLEL_JOB",
        "BUILDKITE_PARALLEL_JOB_COUNT",
        "CIRCLE_NODE_INDEX",
        "CIRCLE_NODE_TOTAL",
        "CI_NODE_INDEX",
        "CI_NODE_TOTAL",
        "JOB_COMPLETION_INDEX",
        "QUIETUS_SHARDS",
    ]
)

# Becomes the program whose words follow. PR_SET_PDEATHSIG outlives execve; who was orphaned
# before it was set has another parent. A preexec_fn would do this in a copy of a process with
# threads, where anything may be locked.
_LAUNCHER = """\
import os, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, 15, 0, 0, 0)
except Exception:
    pass
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class TimedOut(Exception):
    """It did not end in time, and was ended."""


def call(words: Sequence[str], directory: str, output: IO[bytes], timeout: Optional[float]) -> int:
    """Runs a program to its end; what it says goes to ``output``. Gives its exit code, or minus
    the signal that ended it.

    Raises:
        TimedOut: The time was over.
        OSError: It cannot be started.
    """
    launched = list(words)
    if sys.platform == "linux" and sys.executable:
        launched = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *words]
    process = subprocess.Popen(
        launched,
        cwd=directory,
        env=_environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        _end(process, signal.SIGTERM)
        raise TimedOut from None
    except BaseException as interruption:
        # Whatever breaks in, a Ctrl-C or the alarm of another plugin.
        _end(process, signal.SIGINT if isinstance(interruption, KeyboardInterrupt) else signal.SIGTERM)
        raise


def _environment(inherited: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in inherited.items() if name not in _SHARDS}


def _end(process: "subprocess.Popen[bytes]", request: signal.Signals) -> None:
    """Asks once, and again on each further Ctrl-C; and at last ends it."""
    process.send_signal(request)
    for patience in (_PATIENCE, _LAST_PATIENCE):
        try:
            while True:
                try:
                    process.wait(patience)
                    return
                except KeyboardInterrupt:
                    process.send_signal(request)
        except subprocess.TimeoutExpired:
            process.send_signal(request)
    process.kill()
    process.wait()
