"""A stand-in for quietus that a test tells what to do, and that tells the test how it was called."""

import json
import stat
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def finding(**differs):
    """A finding as reports have it."""
    return {
        "code": "temp-file",
        "severity": "error",
        "fingerprint": "0123456789abcdef",
        "title": "the temporary file /tmp/agent.1 is left behind",
        "subject": "/tmp/agent.1",
        "origin": {"role": "0", "command": "python3 agent.py", "source": "openat", "line": "agent.py:4 in main"},
        "points": ["start"],
        "hits": 1,
        "tried": 1,
        "cause": "SIGTERM has its default action all the time",
        "evidence": [],
        "token": "q1/at=start/send=TERM/grace=5s",
        "replay": "quietus replay q1/at=start/send=TERM/grace=5s -- python3 agent.py",
        **differs,
    }


def report(verdict, *findings, **differs):
    """A report with what is read of it."""
    return json.dumps({"format": 1, "verdict": verdict, "runs": [{"findings": list(findings)}], **differs})


class Stub:
    """The stand-in, in a directory of its own."""

    def __init__(self, directory):
        self.directory = directory
        self.path = directory / "quietus"
        text = (HERE / "stub.py").read_text(encoding="utf-8")
        self.path.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)
        self.does("check")

    def does(self, *subcommands, **what):
        """What each of these subcommands does: see stub.py. By default it says clean."""
        what = {"exit": 0, "report": report("clean"), "human": "clean: no findings in 1 trial\n", **what}
        (self.directory / "does.json").write_text(json.dumps(dict.fromkeys(subcommands, what)), encoding="utf-8")

    def also(self, subcommand, **what):
        """The same for one more, beside what the others do."""
        file = self.directory / "does.json"
        file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), subcommand: what}), encoding="utf-8")

    def notes(self):
        """What it noted, in order."""
        calls = self.directory / "calls"
        return [json.loads(line) for line in calls.read_text(encoding="utf-8").splitlines()] if calls.exists() else []

    def calls(self):
        """The words of each call, with the temporary directory written DIR."""
        found = []
        for note in self.notes():
            if "words" in note:
                files = [word for word in note["words"] if word.endswith("/report.json")]
                directory = files[0][: -len("/report.json")] if files else "DIR"
                found.append([word.replace(directory, "DIR") for word in note["words"]])
        return found


@pytest.fixture
def stub(tmp_path):
    directory = tmp_path / "stub"
    directory.mkdir()
    return Stub(directory)


@pytest.fixture
def run(pytester, stub):
    """Runs pytest in a directory of its own, with the stand-in."""
    pytester.makeini("[pytest]")

    def run(*arguments, **how):
        return pytester.runpytest(f"--quietus-bin={stub.path}", "-rA", *arguments, **how)

    return run


@pytest.fixture
def marked(pytester):
    """Writes a test with this mark, and a body that says that it ran."""

    def marked(mark, body='print("the body ran:", quietus_report.verdict)'):
        pytester.makepyfile(
            test_agent=f"""
            import pytest

            @pytest.mark.quietus({mark})
            def test_agent(quietus_report):
                {body}
            """
        )

    return marked


def text_of(result):
    """All that pytest printed."""
    return str(result.stdout) + str(result.stderr)
