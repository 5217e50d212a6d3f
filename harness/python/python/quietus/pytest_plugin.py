"""The plugin for pytest: tests that terminate a program, and scenario files as tests.

Quietus is run while a test is set up, after its other fixtures: what cannot be run is an error,
and a machine that cannot do it skips the test. Findings fail the test in its call, before its
body, with what quietus prints for a person in place of a traceback.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple, Union

import pytest

from quietus._escape import escape
from quietus._find import QuietusNotFound, find_quietus_bin, program_named
from quietus._report import Report
from quietus._run import Ending, Judgement, Runner
from quietus._wanted import Refused, Wanted, of_mark, of_scenario

MARK = "quietus"
FIXTURE = "quietus_report"

_judged = pytest.StashKey[Judgement]()

_MARK_HELP = (
    "quietus(*, command=[…] | scenario='FILE.toml', strategy='check'|'sweep'|'fuzz', send, grace, kind, budget, "
    "guarantee, jobs, workspace, args=[…], policy, baseline, timeout, allow_inconclusive): terminate this program at "
    "the moments that matter before the test; what it leaves behind fails the test"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the command line."""
    group = parser.getgroup("quietus", "termination of programs")
    group.addoption(
        "--quietus", action="store_true", help="collect scenario files, *.toml with an [agent] table, as tests"
    )
    group.addoption("--quietus-bin", metavar="FILE", help="the program `quietus` [default: found]")
    group.addoption(
        "--quietus-strict",
        action="store_true",
        help="fail, and do not skip, what this machine cannot do",
    )
    group.addoption(
        "--quietus-report-dir", metavar="DIR", help="keep the JSON report of each run in this directory"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Registers the mark, and refuses a program that is not there."""
    config.addinivalue_line("markers", _MARK_HELP)
    named = config.getoption("quietus_bin")
    if named is not None:
        try:
            program_named(_from_start(config, named), "--quietus-bin")
        except QuietusNotFound as error:
            raise pytest.UsageError(str(error)) from None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Optional["ScenarioFile"]:
    """A scenario file, where they are asked for or this one is named."""
    if file_path.suffix != ".toml":
        return None
    asked = parent.config.getoption("quietus") or parent.session.isinitpath(file_path)
    if not asked or not _has_agent(file_path):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


def pytest_itemcollected(item: pytest.Item) -> None:
    """A marked test has the run, whether it looks at the report or not; after its other fixtures."""
    names = getattr(item, "fixturenames", None)
    if item.get_closest_marker(MARK) is not None and names is not None and FIXTURE not in names:
        # A list of its own: tests of one function share theirs, and not all may be marked.
        item.fixturenames = [*names, FIXTURE]  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Findings fail the test before its body."""
    judgement = item.stash.get(_judged, None)
    if judgement is None:
        if item.get_closest_marker(MARK) is not None:
            pytest.fail("quietus: the mark says what to run, but tests of this kind cannot run it", pytrace=False)
    elif judgement.ending is Ending.FAILED:
        pytest.fail(judgement.message, pytrace=False)


@pytest.fixture
def quietus_report(request: pytest.FixtureRequest) -> Report:
    """What Quietus found in the program that the mark ``quietus`` names."""
    item: pytest.Item = request.node
    mark = item.get_closest_marker(MARK)
    if mark is None:
        pytest.fail("quietus: there is no report where no mark @pytest.mark.quietus(…) says what to run", pytrace=False)
    root = str(item.config.rootpath)
    try:
        wanted = of_mark(mark.args, mark.kwargs, str(item.path.parent), root)
    except Refused as refused:
        pytest.fail(f"quietus: {escape(str(refused))}", pytrace=False)
    judgement = _carry_out(item, wanted)
    # Where it fails, no body will see it.
    return judgement.report or Report("inconclusive", (), judgement.message, {})


class ScenarioFile(pytest.File):
    """A scenario file: one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """The one test."""
        yield ScenarioItem.from_parent(self, name=self.path.stem)


class ScenarioItem(pytest.Item):
    """A scenario, run as its file says."""

    def setup(self) -> None:
        """Runs it."""
        _carry_out(self, of_scenario(str(self.path), str(self.config.rootpath)))

    def runtest(self) -> None:
        """Nothing is left to do: the run has said it."""

    def reportinfo(self) -> Tuple[Union["os.PathLike[str]", str], Optional[int], str]:
        """Where it is written."""
        return self.path, None, f"scenario {self.name}"


def _carry_out(item: pytest.Item, wanted: Wanted) -> Judgement:
    """Runs quietus for a test that is being set up; what keeps the test from its call is raised."""
    __tracebackhide__ = True
    if _judged in item.stash:
        # It is set up once more, by a plugin that runs tests again.
        del item.stash[_judged]
    try:
        judgement = _runner(item.config).run(wanted, _kept(item))
    except (OSError, ValueError) as error:
        # Among them: it is not there, and words with a NUL in them.
        judgement = Judgement(Ending.ERROR, f"quietus: {_told(error)}")
    if judgement.ending is Ending.ERROR:
        pytest.fail(judgement.message, pytrace=False)
    if judgement.ending is Ending.SKIPPED:
        pytest.skip(judgement.message)
    item.stash[_judged] = judgement
    return judgement


def _told(error: Exception) -> str:
    lines: List[str] = str(error).split("\n")
    return "\n".join(map(escape, lines))


def _runner(config: pytest.Config) -> Runner:
    named = config.getoption("quietus_bin")
    binary = find_quietus_bin() if named is None else program_named(_from_start(config, named), "--quietus-bin")
    here = config.invocation_params.dir
    return Runner(binary, str(config.rootpath), str(here), bool(config.getoption("quietus_strict")))


def _kept(item: pytest.Item) -> Optional[Path]:
    """A file of its own for each test: a readable name, and a digest that makes it the only one."""
    directory: Any = item.config.getoption("quietus_report_dir")
    if directory is None:
        return None
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", item.nodeid).strip("-.")[:100]
    digest = hashlib.sha256(item.nodeid.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return Path(_from_start(item.config, directory)) / f"{readable}-{digest}.json"


def _from_start(config: pytest.Config, path: str) -> str:
    return os.path.join(str(config.invocation_params.dir), path)


# No scenario is larger; what quietus looks for is within it.
_MOST = 1 << 20


def _has_agent(path: Path) -> bool:
    """Whether it names an agent at its top, however that is written. Only quietus reads the file in
    full: so one with faults is a test too, and says them."""
    try:
        # A named pipe would be waited for.
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            text = file.read(_MOST).decode("utf-8-sig", "replace")
    except OSError:
        return False
    starts: Tuple[str, ...] = ("[agent]", "[agent.", "agent.", "agent=")
    for line in text.splitlines():
        words = "".join(line.split())
        if words.startswith(starts):
            return True
        if words.startswith("["):
            # From here on, names without brackets belong to some table.
            starts = starts[:2]
    return False
