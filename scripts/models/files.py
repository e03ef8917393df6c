"""What every step needs: errors that end in one line, hashes, files written whole or not at all."""
import contextlib
import hashlib
import os


class Failure(Exception):
    """Ends the program with this one line and exit code 2."""


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def whole(path):
    """Gives a temporary name beside `path`, renamed to it when the block ends well."""
    temporary = f"{path}.tmp"
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as e:
        # A write that fails does not name its file.
        e.filename = e.filename or str(path)
        raise
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
