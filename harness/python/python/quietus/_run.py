"""One run of quietus for a test: from what is wanted to how the test ends.

Quietus judges; here its exit code is only put into pytest's words. What is not understood, a
report that is missing or an exit code nobody knows, never passes.
"""

import enum
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

from quietus._escape import escape, escape_lines
from quietus._process import TimedOut, call
from quietus._report import Report, UnreadableReport, read_report
from quietus._wanted import Wanted


class Exit(enum.IntEnum):
    """The exit codes of quietus."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    INCONCLUSIVE = 3
    UNSUPPORTED = 4
    BUG = 70
    INTERRUPTED = 130


class Ending(enum.Enum):
    """How a test ends by its run."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    ERROR = "error"


@dataclass(frozen=True)
class Judgement:
    """What a run means for its test."""

    ending: Ending
    message: str = ""
    report: Optional[Report] = None


@dataclass(frozen=True)
class Runner:
    """The binary, and how this session runs it."""

    binary: str
    root: str
    """The directory in which quietus is run, and in which the commands that it prints work."""
    here: str
    """The directory of whoever started the tests."""
    strict: bool
    """Whether a machine that cannot do it fails tests instead of skipping them."""

    def run(self, wanted: Wanted, keep: Optional[Path]) -> Judgement:
        """Runs it and reads what it came to; the JSON report is copied to ``keep``.

        Raises:
            OSError: Quietus cannot be started, or a file cannot be written.
        """
        with tempfile.TemporaryDirectory(prefix="quietus-") as directory:
            files = _Files(Path(directory))
            try:
                code = self._call(files, files.command(self.binary, wanted), wanted.timeout)
                if wanted.gate and code in (Exit.CLEAN, Exit.FINDINGS, Exit.INCONCLUSIVE) and files.report.exists():
                    code = self._call(files, files.gate(self.binary, wanted), wanted.timeout)
            except TimedOut:
                return Judgement(Ending.FAILED, f"quietus: not done after {wanted.timeout:g} s\n\n{files.said()}")
            finally:
                if keep is not None and files.report.exists():
                    _keep(files.report, keep)
            return self._judge(code, files, wanted)

    def _call(self, files: "_Files", words: Sequence[str], timeout: Optional[float]) -> int:
        with open(files.output, "ab") as output:
            return call(words, self.root, output, timeout)

    def _judge(self, code: int, files: "_Files", wanted: Wanted) -> Judgement:
        said = files.said()
        if code == Exit.UNSUPPORTED:
            ending = Ending.FAILED if self.strict else Ending.SKIPPED
            return Judgement(ending, f"quietus: this machine cannot do it: {said.replace('error: ', '', 1)}")
        if code == Exit.INCONCLUSIVE and not files.report.exists():
            report = Report("inconclusive", (), said, {})
            return self._end(wanted, Exit.INCONCLUSIVE, report, said)
        if code not in (Exit.CLEAN, Exit.FINDINGS, Exit.INCONCLUSIVE):
            return Judgement(Ending.ERROR, _strange(code, said))
        text = files.text()
        try:
            report = read_report(json.loads(files.report.read_bytes()), text)
        except FileNotFoundError:
            return Judgement(Ending.ERROR, f"quietus: it ended with {code} and wrote no report\n\n{said}")
        except (UnreadableReport, ValueError, RecursionError) as error:
            return Judgement(Ending.ERROR, f"quietus: its report cannot be read: {escape(str(error))}\n\n{said}")
        if code == Exit.CLEAN and report.verdict != "clean" and not wanted.gate:
            return Judgement(Ending.ERROR, f"quietus: it ended with 0, but says {escape(report.verdict)}\n\n{text}")
        return self._end(wanted, Exit(code), report, "\n".join(part for part in (text, said) if part))

    def _end(self, wanted: Wanted, code: Exit, report: Report, text: str) -> Judgement:
        if code == Exit.CLEAN or (code == Exit.INCONCLUSIVE and wanted.allow_inconclusive):
            return Judgement(Ending.PASSED, report=report)
        head = "inconclusive"
        if code == Exit.FINDINGS:
            codes = dict.fromkeys(finding.code for finding in report.findings if not finding.accepted)
            head = f"findings: {', '.join(codes)}"
        where = "" if self.root == self.here else f"\n(the commands above work in {escape(self.root)})"
        return Judgement(Ending.FAILED, f"quietus: {head}\n\n{text}{where}", report)


class _Files:
    """What a run writes, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.report = directory / "report.json"
        self.human = directory / "report.txt"
        self.output = directory / "output.txt"

    def command(self, binary: str, wanted: Wanted) -> Sequence[str]:
        json_form = ("--format", "json", "--output", str(self.report))
        return (binary, *wanted.words, *json_form, *self._for_people(), "--quiet", *wanted.target)

    def gate(self, binary: str, wanted: Wanted) -> Sequence[str]:
        return (binary, "gate", str(self.report), *wanted.gate, *self._for_people())

    def _for_people(self) -> Sequence[str]:
        return ("--format", "human", "--output", str(self.human))

    def text(self) -> str:
        return _read(self.human)

    def said(self) -> str:
        return _read(self.output)


def _read(path: Path) -> str:
    """Text for a person, in which nothing but newlines acts."""
    try:
        return escape_lines(path.read_bytes().decode("utf-8", "backslashreplace")).strip("\n")
    except FileNotFoundError:
        return ""


def _keep(report: Path, place: Path) -> None:
    """Puts a copy of the report in its place, whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    beside.write_bytes(report.read_bytes())
    beside.replace(place)


def _strange(code: int, said: str) -> str:
    """Quietus has not run: it says itself why."""
    if code == Exit.USAGE and said:
        return f"quietus: {said.replace('error: ', '', 1)}"
    what = {int(Exit.BUG): "a bug in it", int(Exit.INTERRUPTED): "it was interrupted"}.get(code, "it has not run")
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"quietus: {what} ({ended})\n\n{said}"
