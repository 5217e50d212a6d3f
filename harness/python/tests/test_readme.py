"""What the README shows works, and what it lists exists."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import text_of

import quietus
from quietus import _wanted
from quietus.pytest_plugin import _MARK_HELP

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
AGENT = "import time\nprint('working', flush=True)\ntime.sleep(0.1)\n"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def shown(pytester, monkeypatch):
    """A project with the files that the README shows."""
    monkeypatch.delenv("QUIETUS_BIN", raising=False)
    # The interpreter itself: a script that looks for one, as version managers have it, is another
    # and far longer program.
    monkeypatch.setenv("PATH", os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]))
    pytester.makeini("[pytest]")
    (test,), (scenario,) = blocks("python"), blocks("toml")
    pytester.mkdir("scenarios")
    for name, text in [("test_it.py", test), ("agent.py", AGENT), ("scenarios/agent.toml", scenario)]:
        pytester.path.joinpath(name).write_text(text, encoding="utf-8")
    # A scenario's agent runs beside its file.
    pytester.path.joinpath("scenarios/agent.py").write_text(AGENT, encoding="utf-8")
    return pytester


def test_its_commands(shown):
    commands = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    elsewhere = {"pip install 'quietus[pytest]'", "pip install ./harness/python"}
    assert elsewhere < set(commands) and len(commands) == 6, commands
    for command in commands:
        if command not in elsewhere:
            words = shlex.split(command)
            words = words[2:] if words[:2] == ["python", "-m"] else words
            result = shown.run(sys.executable, "-m", *words)
            assert result.ret in (0, 4), command


def test_its_test_and_its_scenario(shown):
    result = shown.runpytest("--quietus", "-rs")
    if "this machine cannot do it" in text_of(result):
        result.assert_outcomes(passed=1, skipped=1)
    else:
        result.assert_outcomes(passed=2)


def test_its_options(pytester):
    rows = re.findall(r"^\| (`.*?) \|", README, re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert names == {*_wanted._FLAGS, *_wanted._OTHERS}
    assert all(name in _MARK_HELP for name in names)
    flags = {flag for row in rows for flag in re.findall(r"`(--[a-z-]+(?: [A-Z]+)?)`", row)}
    said = text_of(pytester.runpytest("--help"))
    assert flags == {found.replace("=", " ") for found in re.findall(r"--quietus[a-z-]*(?:=[A-Z]+)?", said)}


def test_the_fields_of_a_report():
    listed = README[README.index("`quietus_report` has") : README.index("Its texts may be")]
    names = set(re.findall(r"`([a-z_]+)(?:\(\))?`", listed)) - {"quietus_report"}
    fields = {*quietus.Report.__dataclass_fields__, *quietus.Finding.__dataclass_fields__, "codes"}
    assert names == fields


def test_the_command_says_how_it_is_called(shown):
    said = subprocess.run([quietus.find_quietus_bin(), "check", "--help"], capture_output=True, text=True).stdout
    assert all(flag in said for flag in _wanted._FLAGS.values())
