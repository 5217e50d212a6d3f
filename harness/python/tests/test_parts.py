"""The parts that need no session: finding the binary, the module as a command, escaping."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import quietus
from quietus import QuietusNotFound, find_quietus_bin
from quietus._escape import escape, escape_lines


@pytest.fixture(autouse=True)
def unnamed(monkeypatch):
    monkeypatch.delenv("QUIETUS_BIN", raising=False)


def module(*words, **environment):
    """`python -m quietus`."""
    return subprocess.run(
        [sys.executable, "-m", "quietus", *words], capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_what_is_tested_is_the_wheel():
    assert Path(quietus.__file__).is_relative_to(sys.prefix)
    installed = find_quietus_bin()
    assert installed == os.path.join(sysconfig.get_path("scripts"), "quietus")
    said = subprocess.run([installed, "--version"], capture_output=True, text=True)
    assert said.stdout == f"quietus {importlib.metadata.version('quietus')}\n"


def test_a_variable_names_another_and_no_other_is_taken_then(stub, monkeypatch, tmp_path):
    monkeypatch.setenv("QUIETUS_BIN", str(stub.path))
    assert find_quietus_bin() == str(stub.path)
    stub.path.chmod(0o644)
    with pytest.raises(QuietusNotFound, match="QUIETUS_BIN names '.*/quietus': it cannot be run"):
        find_quietus_bin()
    monkeypatch.setenv("QUIETUS_BIN", str(tmp_path / "none"))
    with pytest.raises(QuietusNotFound, match="there is no such file"):
        find_quietus_bin()


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The package alone, as it lies where pip puts it below another directory; no scripts beside."""

    def place(site):
        directory = tmp_path / site
        shutil.copytree(Path(quietus.__file__).parent, directory / "quietus")
        return directory

    return place


def found(directory, path, isolated):
    """What a Python that has no quietus of its own finds."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import quietus; print(quietus.find_quietus_bin())"
    python = isolated
    return subprocess.run(
        [python, "-I", "-c", code, str(directory)], capture_output=True, text=True, env={"PATH": str(path)}
    )


@pytest.fixture(scope="session")
def isolated(tmp_path_factory):
    """A Python in which quietus is not installed."""
    directory = tmp_path_factory.mktemp("isolated")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True)
    return str(directory / "bin" / "python")


@pytest.mark.parametrize(
    ("site", "binary"),
    [("target", "target/bin/quietus"), ("prefix/lib/python3/site-packages", "prefix/bin/quietus")],
)
def test_it_is_found_where_pip_puts_it(elsewhere, isolated, stub, tmp_path, site, binary):
    directory = elsewhere(site)
    place = tmp_path / binary
    place.parent.mkdir(exist_ok=True)
    shutil.copy2(stub.path, place)
    assert found(directory, "/nowhere", isolated).stdout == f"{place}\n"


def test_it_is_found_in_path_and_else_it_says_where_it_looked(elsewhere, isolated, stub):
    directory = elsewhere("site")
    assert found(directory, stub.directory, isolated).stdout == f"{stub.path}\n"
    lost = found(directory, "/nowhere", isolated)
    assert lost.returncode == 1
    for place in (os.path.dirname(isolated), "site/bin", "each directory of PATH", "QUIETUS_BIN names one"):
        assert place in lost.stderr, place


def test_the_module_is_the_command(stub):
    assert module("--version").stdout == f"quietus {importlib.metadata.version('quietus')}\n"
    stub.does("check", exit=3, report=None, human=None, said="said\n")
    ran = module("check", "--at", "-x y", QUIETUS_BIN=str(stub.path))
    assert (ran.returncode, ran.stderr) == (3, "said\n")
    assert stub.calls() == [["check", "--at", "-x y"]]


def test_the_module_says_what_is_wrong(tmp_path):
    lost = module(QUIETUS_BIN=str(tmp_path / "none"))
    assert (lost.returncode, lost.stdout) == (1, "")
    assert lost.stderr == f"error: QUIETUS_BIN names '{tmp_path}/none': there is no such file\n"
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere\n")
    broken.chmod(0o755)
    assert module(QUIETUS_BIN=str(broken)).stderr == f"error: {broken} cannot be run: No such file or directory\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain C:\\temp", "plain C:\\temp"),
        ("ä 日本 é", "ä 日本 é"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\r\n\tb\x00\x7f\x85\x9b", "a\\r\\n\\tb\\x00\\x7f\\x85\\x9b"),
        ("\u202ecod\u2066\u200b\ufeff", "\\u{202e}cod\\u{2066}\\u{200b}\\u{feff}"),
        ("\u2028\u2029", "\\u{2028}\\u{2029}"),
        ("\u3164\u115f\u180b\U000e0041\U000e0100", "\\u{3164}\\u{115f}\\u{180b}\\u{e0041}\\u{e0100}"),
        ("\ud800", "\\u{d800}"),
    ],
)
def test_what_acts_or_hides_is_spelled_out(text, shown):
    assert escape(text) == shown
    assert escape_lines(f"{text}\n!") == shown.replace("\\n", "\n") + "\n!"
