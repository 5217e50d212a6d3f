"""What a test asks for, as the command line of ``quietus``.

Options are handed on as they are, and quietus says what is wrong with a value. What is refused
here is only what would otherwise be dropped in silence: names nobody knows, and options that a
scenario file has to say itself.
"""

import os
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

STRATEGIES = ("check", "sweep", "fuzz")

# The option of the command for each option of the mark.
_FLAGS = {
    "send": "--send",
    "grace": "--grace",
    "kind": "--kind",
    "budget": "--budget",
    "guarantee": "--guarantee",
    "jobs": "--jobs",
    "workspace": "--workspace",
}
_PATHS = ("scenario", "workspace", "policy", "baseline")
_SPANS = frozenset(["grace", "budget"])
# What is left for the command line to say, where a scenario file says the rest.
_OF_RUN = frozenset(["jobs"])
_OF_SCENARIO = frozenset(["jobs", "send", "grace", "budget"])
_OTHERS = frozenset(
    ["command", "scenario", "strategy", "args", "policy", "baseline", "timeout", "allow_inconclusive"]
)


class Refused(ValueError):
    """A test asks for what does not exist or does not go together."""


@dataclass(frozen=True)
class Wanted:
    """One run of quietus."""

    words: Tuple[str, ...]
    """The subcommand and its options."""
    target: Tuple[str, ...]
    """What stands last: the scenario file, or ``--`` and the agent."""
    gate: Tuple[str, ...] = ()
    """The options of the gate that judges the report, if one does."""
    timeout: Optional[float] = None
    """After how many seconds the run is stopped."""
    allow_inconclusive: bool = False
    """Whether the test goes on when nothing can be said."""


def of_scenario(path: str, root: str) -> Wanted:
    """A scenario file, as it says itself."""
    return Wanted(("run",), (_from(root, root, path),))


def of_mark(args: Sequence[object], options: Mapping[str, Any], directory: str, root: str) -> Wanted:
    """What ``@pytest.mark.quietus`` asks for.

    Paths count from ``directory``, in which the test lies; quietus is run in ``root``.

    Raises:
        Refused: The mark asks for what does not exist.
    """
    if args:
        raise Refused("what is to be run is named: quietus(command=[…]) or quietus(scenario=…)")
    options = dict(options)
    _only_known(options)
    named = [name for name in _PATHS if options.get(name) is not None]
    paths = {name: _from(directory, root, options[name]) for name in named}
    options.update(paths)
    if (options.get("command") is None) == (options.get("scenario") is None):
        raise Refused("a test has one agent: either command=[…] or scenario=…")
    if options.get("scenario") is not None:
        words, target = _scenario(options)
    else:
        words, target = _command(options)
    return Wanted(
        (*words, *_words("args", options.get("args") or ())),
        target,
        tuple(word for name in ("policy", "baseline") if name in paths for word in (f"--{name}", paths[name])),
        _seconds(options.get("timeout")),
        _truth("allow_inconclusive", options.get("allow_inconclusive", False)),
    )


def _only_known(options: Mapping[str, Any]) -> None:
    known = sorted({*_FLAGS, *_OTHERS})
    unknown = [name for name in options if name not in known]
    if unknown:
        raise Refused(f"the mark quietus has no option {', '.join(unknown)}; it has {', '.join(known)}")
    strategy = options.get("strategy")
    if strategy is not None and strategy not in STRATEGIES:
        raise Refused(f"there is no strategy {strategy!r}; there are {', '.join(STRATEGIES)}")


def _command(options: Dict[str, Any]) -> Tuple[List[str], Tuple[str, ...]]:
    command = _words("command", options["command"])
    if not command:
        raise Refused("command=[] names no program")
    strategy = options.get("strategy") or "check"
    return _options(strategy, options, frozenset(_FLAGS)), ("--", *command)


def _scenario(options: Dict[str, Any]) -> Tuple[List[str], Tuple[str, ...]]:
    strategy = options.get("strategy")
    if strategy == "check":
        raise Refused("a scenario file says its own trials; strategy can be sweep or fuzz")
    fits = _OF_SCENARIO if strategy else _OF_RUN
    over = [name for name in _FLAGS if options.get(name) is not None and name not in fits]
    if over:
        raise Refused(f"of a scenario, the file says {', '.join(over)}, not the mark")
    return _options(strategy or "run", options, fits), (options["scenario"],)


def _options(subcommand: str, options: Mapping[str, Any], fits: FrozenSet[str]) -> List[str]:
    words = [subcommand]
    for name, flag in _FLAGS.items():
        value = options.get(name)
        if value is None or name not in fits:
            continue
        if name == "budget" and subcommand == "fuzz":
            flag = "--for"
        words += [flag, _span(value) if name in _SPANS else str(value)]
    if subcommand == "fuzz":
        # It is kept in the current directory, which other tests share.
        words.append("--no-corpus")
    return words


def _words(name: str, words: object) -> Tuple[str, ...]:
    if isinstance(words, (str, bytes)) or not isinstance(words, (list, tuple)):
        raise Refused(f"{name} is a list of words, such as [\"python3\", \"agent.py\"], not {words!r}")
    try:
        return tuple(os.fsdecode(word) for word in words)
    except TypeError:
        raise Refused(f"every word of {name} is text or a path: {words!r}") from None


def _span(value: object) -> str:
    """Numbers are seconds; everything else is for quietus to read."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{round(value * 1000)}ms"
    return str(value)


def _seconds(value: object) -> Optional[float]:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise Refused(f"timeout is a number of seconds above 0, not {value!r}")
    return float(value)


def _truth(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"{name} is True or False, not {value!r}")
    return value


def _from(directory: str, root: str, path: object) -> str:
    """The path as seen from ``root``, so that commands that are printed work there."""
    try:
        path = os.path.abspath(os.path.join(directory, os.fsdecode(path)))  # type: ignore[arg-type]
    except TypeError:
        raise Refused(f"{path!r} is no path") from None
    if os.path.commonpath([path, root]) != root:
        return path
    path = os.path.relpath(path, root)
    # Not to be taken for an option.
    return os.path.join(os.curdir, path) if path.startswith("-") else path
