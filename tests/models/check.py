"""Checks that print what run_cli_tests.sh counts: `ok NAME` or `not ok NAME: why`."""
import sys
import traceback
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "models"))
from files import Failure  # noqa: E402


def run(tests):
    for test in tests:
        name = test.__name__.replace("_", " ")
        try:
            test()
            print(f"ok {name}")
        except Exception as e:  # pylint: disable=broad-except
            where = traceback.extract_tb(e.__traceback__)[-1]
            print(f"not ok {name}: {Path(where.filename).name}:{where.lineno}: "
                  f"{type(e).__name__} {e}".replace("\n", " "))


def close(got, want, tol):
    """Frobenius norm of the difference at most tol times that of `want`; NaN is not."""
    got, want = np.asarray(got, "f8"), np.asarray(want, "f8")
    assert got.shape == want.shape, f"shape {got.shape}, want {want.shape}"
    error = np.linalg.norm(got - want) / np.linalg.norm(want)
    assert error <= tol, f"relative error {error:.3g}, want <= {tol:.3g}"


def fails(text, function, *arguments):
    """The call ends in a Failure of one line that holds `text`."""
    try:
        function(*arguments)
    except Failure as e:
        said = str(e)
        assert text in said and "\n" not in said, f"said '{said}', want '{text}'"
        return
    raise AssertionError(f"no failure, want '{text}'")
