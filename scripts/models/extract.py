"""Make the files asked for: text, tokens, forward pass, problems."""
import json
import math
import time
from pathlib import Path

import numpy as np

import bert
import fetch
import llama
from files import Failure
from gguf_file import GgufFile
from handbook import book_text
from options import read_text, text_hash
from problems import recipe_of, write_file
from safetensors_file import SafetensorsFile
from tokens import decoder_ids, encoder_windows

VERSION = 1  # of what the arrays are; another one makes files of before count as others
HEADS = ["L00H1", "L00H3", "L01H3", "L02H4", "L03H1", "L06H3", "L09H8", "L11H0", "L15H3", "L18H6",
         "L24H6", "L29H7"]
WINDOWS = {256: 1, 512: 4}  # of the encoder: tokens in each, and how many
BOOK_NAME = "the Debian Administrator's Handbook"
BOOK_LICENSE = "CC-BY-SA-3.0 or GPL-2.0-or-later"


class Text:
    """The text with its hash, and how attributes name it and its licence."""

    def __init__(self, path, cache):
        if path is None:
            self.text = book_text(fetch.book(cache), fetch.BOOK_FIRST)
            self.name, self.part, self.license = BOOK_NAME, "English, from chapter 1", BOOK_LICENSE
        else:
            self.text = read_text(path)
            self.name, self.part = Path(path).name, "from its beginning"
            self.license = f"that of {self.name}"
        self.hash = text_hash(self.text)

    def attributes(self, model, d, causal, source):
        return {"causal": np.int8(causal), "scale": d ** -0.5, "sigma": d ** 0.25, "model": model,
                "source": source, "license": f"activations: model Apache-2.0; text {self.license}"}


def recipe(wheel, text, **settings):
    """Names all that decides what a file holds."""
    parts = [f"version {VERSION}", f"model {wheel.project} {wheel.version}", f"text {text.hash}"]
    return "; ".join(parts + [f"{key} {value}" for key, value in settings.items()])


def wanted(path, made_from):
    """Whether the file has to be made; one that was made from other things is not replaced."""
    if not path.exists():
        return True
    found = recipe_of(path)
    if found != made_from:
        old, new = (parts.split("; ") if parts else ["no recipe"] for parts in (found, made_from))
        raise Failure(f"{path} was made with {', '.join(p for p in old if p not in new)}, "
                      f"asked for {', '.join(p for p in new if p not in old)}: "
                      "remove it, or give another folder (OUT=FOLDER)")
    print(f"make data: {path} is there", flush=True)
    return False


def decoder_sets(o, text, cache):
    """The problems of smollm2-heads and smollm2-layers, by one forward pass for both."""
    out = Path(o.out)
    layers = "all" if o.layers is None else " ".join(map(str, o.layers))
    jobs = {"smollm2-heads": recipe(fetch.DECODER, text, n=o.n, heads=" ".join(HEADS)),
            "smollm2-layers": recipe(fetch.DECODER, text, n=o.n, layers=layers)}
    jobs = {name: made_from for name, made_from in jobs.items()
            if name in o.sets and wanted(out / f"{name}.h5", made_from)}
    if not jobs:
        return
    file = GgufFile(fetch.model(fetch.DECODER, cache)["SmolLM2-135M-Instruct.Q4_1.gguf"])
    shape = llama.shape_of(file)
    bad = [layer for layer in o.layers or [] if layer >= shape.layers]
    if bad:
        raise Failure(f"layers: the model has 0..{shape.layers - 1}, got {bad[0]}")
    ids = decoder_ids(file, text.text)
    if len(ids) < o.n:
        raise Failure(f"n: the text has {len(ids)} tokens of the decoder, asked for {o.n}")
    chosen = range(shape.layers) if o.layers is None else o.layers
    problems = {name: [] for name in jobs}

    def keep(layer, q, k, v):
        q, k, v = (array.astype("f2") for array in (q, k, v))
        attributes = dict(text.attributes(
            "SmolLM2-135M-Instruct (Q4_1 weights, dequantised), Apache-2.0", q.shape[2], True,
            f"queries and keys after RoPE, values, of one forward pass over {text.name} "
            f"({text.part})"), layer=layer)
        # A few columns to a chunk compress best: each has its own range of values.
        chunk = (min(1024, o.n), min(8, q.shape[2]))
        for name in HEADS if "smollm2-heads" in jobs else []:
            at, head = int(name[1:3]), int(name[4:])
            if at == layer:
                shared = head // (shape.heads // shape.key_heads)
                problems["smollm2-heads"].append(
                    (name, (q[head], k[shared], v[shared]), dict(attributes, head=head), chunk))
        if "smollm2-layers" in jobs and layer in chosen:
            problems["smollm2-layers"].append(
                (f"L{layer:02d}", (q, k, v), attributes, (1, *chunk)))

    started = time.monotonic()

    def progress(layer):
        print(f"make data: decoder, {o.n} tokens, layer {layer + 1} of {shape.layers}, "
              f"{time.monotonic() - started:.0f} s", flush=True)

    loss = llama.forward(file, np.array(ids[:o.n]), keep, progress)
    print(f"make data: loss of the next token {loss:.3f} nats, perplexity {math.exp(loss):.1f}")
    for name, made_from in jobs.items():
        done(out / f"{name}.h5", made_from, problems[name])


def encoder_set(o, text, cache, n):
    """The problems of minilm-n256 (group 'all') or minilm-n512 (groups 'w0', 'w1', ...)."""
    path = Path(o.out) / f"minilm-n{n}.h5"
    made_from = recipe(fetch.ENCODER, text, n=n, windows=WINDOWS[n])
    if not wanted(path, made_from):
        return
    model = fetch.model(fetch.ENCODER, cache)
    file = SafetensorsFile(model["model.safetensors"])
    shape = bert.shape_of(json.loads(read_text(model["config.json"])), model["config.json"])
    windows = encoder_windows(model["tokenizer.json"], text.text, n, WINDOWS[n])
    problems = []
    for w, ids in enumerate(windows):
        stack = bert.forward(file, shape, ids)
        d = stack[0].shape[3]
        attributes = text.attributes(
            "all-MiniLM-L6-v2 (float32), Apache-2.0", d, False,
            f"queries, keys, values of window {w} of {n} tokens of {text.name} ({text.part})")
        problems.append(("all" if len(windows) == 1 else f"w{w}", stack, attributes, (1, 1, n, d)))
    done(path, made_from, problems)


def done(path, made_from, problems):
    write_file(path, made_from, problems)
    print(f"make data: {path}, {path.stat().st_size / 1e6:.1f} MB", flush=True)


def run(o, cache):
    Path(o.out).mkdir(parents=True, exist_ok=True)
    text = Text(o.text, cache)
    decoder_sets(o, text, cache)
    for n in WINDOWS:
        if f"minilm-n{n}" in o.sets:
            encoder_set(o, text, cache, n)
