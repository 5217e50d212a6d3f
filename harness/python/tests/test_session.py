"""A session of pytest around it: side by side, interrupted, out of time, gone."""

import os
import signal
import subprocess
import sys

import pytest
from conftest import text_of


@pytest.fixture
def told(stub):
    """What a stand-in that waits tells: its pid, then what came."""
    stub.does("check", until="signal")
    path = stub.directory / "told"
    os.mkfifo(path)
    # Open at both ends, so that neither side waits for the other to open it.
    with os.fdopen(os.open(path, os.O_RDWR), buffering=1) as told:
        yield lambda: told.readline().strip()


@pytest.fixture
def waiting(pytester, stub, told):
    """A session whose quietus waits for a signal."""
    pytester.makepyfile("import pytest\n@pytest.mark.quietus(command=['x'])\ndef test_agent(): pass\n")
    # Its parent may ignore SIGINT, as after `&` in a script.
    command = ["env", "--default-signal", sys.executable, "-m", "pytest", "--quietus-bin", str(stub.path), "-p", "no:cacheprovider"]
    session = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    yield session
    session.kill()
    session.wait()
    session.stdout.close()


def ended(pid):
    """Whether the process is gone; its parent may not have taken notice yet."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("whom", ["pytest", "its group"])
def test_ctrl_c_reaches_quietus_once_and_its_end_is_waited_for(waiting, told, whom):
    pid = told()
    if whom == "pytest":
        waiting.send_signal(signal.SIGINT)
    else:
        os.killpg(waiting.pid, signal.SIGINT)
    said, _ = waiting.communicate()
    assert ended(pid)
    assert waiting.returncode == pytest.ExitCode.INTERRUPTED, said
    assert "KeyboardInterrupt" in said
    assert told() == "SIGINT"


def test_a_session_that_is_killed_takes_quietus_with_it(waiting, told):
    assert told()
    waiting.kill()
    assert told() == "SIGTERM"


def test_what_is_not_done_in_time_is_stopped_and_fails(run, told, marked):
    marked("command=['x'], timeout=1")
    result = run()
    result.assert_outcomes(failed=1)
    assert "quietus: not done after 1 s" in text_of(result)
    pid = told()
    assert told() == "SIGTERM" and ended(pid)


def test_side_by_side(pytester, run, stub):
    stub.does("check", "run")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.quietus(command=["x"])
        @pytest.mark.parametrize("n", range(6))
        def test_agent(n, quietus_report):
            assert quietus_report.verdict == "clean"
        """
    )
    pytester.makefile(".toml", agent='[agent]\ncommand = ["x"]\n')
    run("-n", "2", "--quietus", "--quietus-report-dir", "kept").assert_outcomes(passed=7)
    files = {word for note in stub.notes() for word in note["words"] if word.endswith("report.json")}
    assert len(files) == 7, "each has files of its own"
    assert not [file for file in files if os.path.exists(file)], "and they are taken away"
    assert len(list(pytester.path.joinpath("kept").iterdir())) == 7


def test_what_is_not_run_runs_nothing(pytester, run, stub):
    pytester.makepyfile("import pytest\n@pytest.mark.quietus(command=['x'])\ndef test_agent(): pass\n")
    assert "test_agent" in text_of(run("--collect-only"))
    run("-k", "other")
    assert stub.calls() == []
