"""``python -m quietus …``: becomes the binary, so that signals and exit codes are its own."""

import os
import sys

from quietus._find import QuietusNotFound, find_quietus_bin


def main() -> None:
    """Runs the binary with the arguments of this process, in its place."""
    try:
        binary = find_quietus_bin()
        os.execv(binary, [binary, *sys.argv[1:]])
    except QuietusNotFound as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {binary} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main()
