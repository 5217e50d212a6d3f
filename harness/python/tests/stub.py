"""Stands in for quietus: notes how it was called and does what the file beside it says.

That file is JSON, for each subcommand: `exit`, `report`, `human`, `said` (on standard error), and
`until` (`signal`: waits for one, and ends with 130 once it came; the pipe `told` beside this file
hears its pid, then what came).
"""

import json
import os
import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def outputs(words):
    """The file of each form, as the command line pairs them."""
    values = {flag: [words[at + 1] for at, word in enumerate(words) if word == flag] for flag in ("--format", "--output")}
    return dict(zip(values["--format"], values["--output"]))


def note(**what):
    with open(HERE / "calls", "a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")


def main():
    words = sys.argv[1:]
    does = json.loads((HERE / "does.json").read_text(encoding="utf-8")).get(words[0], {})
    shards = sorted(name for name in os.environ if name in ("CI_NODE_INDEX", "QUIETUS_SHARDS"))
    note(words=words, directory=os.getcwd(), shards=shards, seen=os.environ.get("SEEN_BY_AGENT"))
    files = outputs(words)
    if does.get("until") == "signal":
        waited = [signal.SIGINT, signal.SIGTERM]
        signal.pthread_sigmask(signal.SIG_BLOCK, waited)
        with open(HERE / "told", "w", buffering=1, encoding="utf-8") as told:
            print(os.getpid(), file=told)
            came = signal.Signals(signal.sigwait(waited))
            again = signal.sigtimedwait(waited, 0)
            print(came.name if again is None else f"{came.name} twice", file=told)
        return 130
    if does.get("report") is not None and "json" in files:
        Path(files["json"]).write_text(does["report"], encoding="utf-8")
    if does.get("human") is not None:
        Path(files["human"]).write_bytes(does["human"].encode("utf-8", "surrogatepass"))
    sys.stderr.write(does.get("said", ""))
    return does.get("exit", 0)


sys.exit(main())
