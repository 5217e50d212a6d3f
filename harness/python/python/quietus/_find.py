"""Where the binary is.

A wheel puts it into the scripts directory of whatever it was installed into; there are several
such directories, and people move them. The first place that has it counts. ``QUIETUS_BIN`` is
asked first and is final: who names a file wants that one, and no other in silence.
"""

import os
import shutil
import sys
import sysconfig
from typing import List, Optional

NAME = "quietus"
VARIABLE = "QUIETUS_BIN"


class QuietusNotFound(FileNotFoundError):
    """The binary is in none of the places where it could be; the message names them."""


def find_quietus_bin() -> str:
    """The path of the binary ``quietus``.

    Raises:
        QuietusNotFound: It is in no place that was looked at, or ``QUIETUS_BIN`` names no program.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return program_named(named, VARIABLE)
    places = _directories()
    for directory in places:
        path = os.path.join(directory, NAME)
        if _is_program(path):
            return path
    in_path = shutil.which(NAME)
    if in_path:
        return in_path
    looked = "".join(f"\n  {place}" for place in [*places, "each directory of PATH"])
    raise QuietusNotFound(
        f"the program `{NAME}` is not there; looked for it in{looked}\n"
        f"`pip install {NAME}` installs it, and {VARIABLE} names one that lies elsewhere"
    )


def program_named(path: str, by: str) -> str:
    """The program that somebody has named, as an absolute path.

    Raises:
        QuietusNotFound: No program is there; the message says who named it.
    """
    if _is_program(path):
        return os.path.abspath(path)
    why = "it cannot be run" if os.path.isfile(path) else "there is no such file"
    raise QuietusNotFound(f"{by} names {path!r}: {why}")


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _directories() -> List[str]:
    """Where a wheel may have put it, each once, in the order in which they are looked at."""
    here = os.path.dirname(os.path.abspath(__file__))
    found: List[Optional[str]] = [
        sysconfig.get_path("scripts"),
        # pip install --user
        _user_scripts(),
        # pip install --target DIR puts it into DIR/bin, beside DIR/quietus
        os.path.join(os.path.dirname(here), "bin"),
        # pip install --prefix DIR: DIR/lib/pythonX.Y/site-packages/quietus, and DIR/bin
        os.path.join(os.path.abspath(os.path.join(here, *[os.pardir] * 4)), "bin"),
        os.path.dirname(sys.executable) if sys.executable else None,
    ]
    return list(dict.fromkeys(place for place in found if place))


def _user_scripts() -> Optional[str]:
    scheme = f"{os.name}_user"
    if scheme not in sysconfig.get_scheme_names():
        return None
    return sysconfig.get_path("scripts", scheme=scheme)
