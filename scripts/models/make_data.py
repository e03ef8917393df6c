#!/usr/bin/env python3
"""Extract attention sets from real models: what `make data` starts. --help lists the options.

Packages, models and text are kept in datasets/cache/models, so that a second run fetches nothing;
files that are there are not made again. Anything that fails is one line and exit code 2.
"""
import sys
from pathlib import Path

import environment
import options
from files import Failure

CACHE = Path(__file__).resolve().parents[2] / "datasets" / "cache" / "models"


def main():
    try:
        asked = options.parse(sys.argv[1:])
        environment.enter(CACHE / "venv")
        # Only the environment has what this needs.
        import extract  # pylint: disable=import-outside-toplevel
        extract.run(asked, CACHE)
    except Failure as e:
        print(f"make data: {e}", file=sys.stderr)
        return 2
    except OSError as e:
        where = f"{e.filename}: " if e.filename else ""
        print(f"make data: {where}{e.strerror or e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
