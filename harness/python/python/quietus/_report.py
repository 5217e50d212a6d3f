"""The report of a run, as a test looks at it.

The texts in these objects may be printed: control codes and whatever else a terminal would obey
are spelled out in them. ``raw`` holds them exactly as they were.
"""

from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Optional, Tuple

from quietus._escape import escape

FORMAT = 1
"""The format of JSON reports that is read here."""


class UnreadableReport(ValueError):
    """What was written is no report that is known here."""


@dataclass(frozen=True)
class Finding:
    """One thing left behind or done wrong."""

    code: str
    """What sort of finding it is, such as ``temp-file``."""
    severity: str
    """``error``, ``warn`` or ``note``."""
    title: str
    """One line for a person."""
    subject: str
    """What was left behind: a path, a command, a port."""
    line: Optional[str]
    """Where in the source it was made, such as ``agent.py:41 in run_tool``, if that is known."""
    cause: Optional[str]
    """Why it happens, if that is known."""
    replay: str
    """The command that runs its smallest trial again."""
    fingerprint: str
    """The same in every run and on every machine."""
    accepted: bool
    """Whether an ``[[allow]]`` of the scenario accepts it."""
    raw: Dict[str, Any] = field(repr=False, compare=False)
    """All that the report says of it."""


@dataclass(frozen=True)
class Report:
    """What Quietus found."""

    verdict: str
    """``clean``, ``findings`` or ``inconclusive``."""
    findings: Tuple[Finding, ...]
    """The findings of all runs, in the order of the report, whatever their severity."""
    text: str = field(repr=False, compare=False)
    """What ``quietus`` prints for a person."""
    raw: Dict[str, Any] = field(repr=False, compare=False)
    """The whole report, in its JSON form; empty where the run came to none."""

    def codes(self) -> List[str]:
        """The codes of the findings, each once."""
        return list(dict.fromkeys(finding.code for finding in self.findings))


def read_report(raw: object, text: str) -> Report:
    """The report that stands in a JSON document.

    Raises:
        UnreadableReport: It is none, or one of another format.
    """
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        other = raw.get("format") if isinstance(raw, dict) else None
        raise UnreadableReport(f"format {FORMAT} is known here, and this is {escape(str(other))}")
    try:
        return Report(str(raw["verdict"]), tuple(_findings(raw)), text, raw)
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableReport(f"a part is missing or of another form: {escape(str(error))}") from error


def _findings(raw: Dict[str, Any]) -> Iterator[Finding]:
    for run in raw["runs"]:
        for finding in run["findings"]:
            yield Finding(
                code=escape(finding["code"]),
                severity=escape(finding["severity"]),
                title=escape(finding["title"]),
                subject=escape(finding["subject"]),
                line=_optional((finding.get("origin") or {}).get("line")),
                cause=_optional(finding.get("cause")),
                replay=escape(finding["replay"]),
                fingerprint=escape(finding["fingerprint"]),
                accepted=finding.get("accepted") is not None,
                raw=finding,
            )


def _optional(text: Optional[str]) -> Optional[str]:
    return None if text is None else escape(text)
