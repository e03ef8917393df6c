"""The forward passes against loops in float64 and against what has to hold for any weights.

Tolerance of a whole pass in float32: each number goes through at most two layers of eight sums of
at most 24 terms, each with a relative error of at most 24 x 6e-8, and what the norms and softmax
make of it: 16 x 24 x 6e-8 x 4 = 1e-4. A wrong formula misses by more than 1e-2.
"""
import numpy as np

import check
from check import close, fails
import tiny
import attention
import bert
import llama
from gguf_file import GgufFile
from safetensors_file import SafetensorsFile

TOL = 1e-4
IDS = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9])
rng = np.random.default_rng(20261125)


def attention_is_softmax_for_any_block_and_shared_keys():
    q, k, v = (rng.normal(size=(heads, 13, 8)) for heads in (4, 2, 2))
    for attention.ROWS in (1, 5, 13, 512):
        for causal in (False, True):
            got = attention.attend(q, k, v, causal, 0.25)
            want = [[tiny.softmax_row(q[h, i], k[h // 2, :i + 1 if causal else 13],
                                      v[h // 2, :i + 1 if causal else 13], 0.25)
                     for i in range(13)] for h in range(4)]
            # Sums of 13 and 8 terms in float64.
            close(got, want, 1e-13)


def attention_survives_logits_beyond_the_range_of_exp():
    q, k = np.full((1, 2, 1), 40, "f4"), np.array([[[40], [30]]], "f4")
    close(attention.attend(q, k, k, False, 1.0), [[[40], [40]]], 1e-6)


def shared_key_heads_equal_repeated_ones():
    q, k, v = (rng.normal(size=(heads, 9, 4)).astype("f4") for heads in (6, 3, 3))
    a = attention.attend(q, k, v, True, 0.5)
    b = attention.attend(q, np.repeat(k, 2, axis=0), np.repeat(v, 2, axis=0), True, 0.5)
    assert (a == b).all()


def rope_turns_pairs():
    # d = 4, base 100: the pairs turn by i and by i / 10.
    x = llama.rope(np.tile(np.array([1.0, 0, 0, 2]), (1, 3, 1)), 100.0, 4)
    close(x[0, 2], [np.cos(2), np.sin(2), -2 * np.sin(0.2), 2 * np.cos(0.2)], 1e-15)
    close(x[0, 0], [1, 0, 0, 2], 0)


def rope_keeps_norms_and_sees_only_distances():
    q, k = rng.normal(size=8), rng.normal(size=8)
    rows = {name: llama.rope(np.tile(x, (1, 4096, 1)), 1e5, 8)[0] for name, x in
            (("q", q), ("k", k))}
    close(np.linalg.norm(rows["q"], axis=1), np.full(4096, np.linalg.norm(q)), 1e-14)
    far = rows["q"][4095] @ rows["k"][4085]
    # Angles up to 4095 are rounded by 4095 x 1.1e-16.
    close(far, rows["q"][15] @ rows["k"][5], 1e-11)
    assert abs(far - rows["q"][15] @ rows["k"][6]) > 1e-3


def rope_leaves_coordinates_beyond_its_own():
    x = rng.normal(size=(1, 5, 8))
    assert (llama.rope(x.copy(), 100.0, 4)[..., 4:] == x[..., 4:]).all()


def llama_run(ids, weights, meta=None):
    tiny.write_gguf("llama.gguf", dict({"general.architecture": "llama"}, **tiny.LLAMA,
                                       **(meta or {})), weights)
    seen = []
    loss = llama.forward(GgufFile("llama.gguf"), ids, lambda layer, *qkv: seen.append(qkv))
    return seen, loss


def decoder_agrees_with_loops():
    weights = tiny.llama_weights(rng)
    seen, loss = llama_run(IDS, weights)
    want, want_loss = tiny.llama_loops(weights, IDS)
    assert len(seen) == 2
    for got_layer, want_layer in zip(seen, want):
        for got, expected in zip(got_layer, want_layer):
            close(got, expected, TOL)
    close(loss, want_loss, TOL)


def decoder_rows_do_not_depend_on_later_tokens():
    weights = tiny.llama_weights(rng)
    a, _ = llama_run(IDS, weights)
    b, _ = llama_run(np.concatenate([IDS[:7], IDS[7:][::-1]]), weights)
    for x, y in zip(a[1], b[1]):
        close(x[:, :7], y[:, :7], 1e-6)
    assert np.abs(a[1][1][:, 7:] - b[1][1][:, 7:]).max() > 1e-2


def decoder_with_an_output_matrix_of_its_own():
    weights = tiny.llama_weights(rng)
    # All logits are 0: every word is as likely.
    weights["output.weight"] = np.zeros((tiny.WORDS, tiny.WIDTH), "f4")
    close(llama_run(IDS, weights)[1], np.log(tiny.WORDS), 1e-6)


def decoder_refuses_what_it_does_not_do():
    weights = tiny.llama_weights(rng)
    fails("its context is 64 tokens, asked for 65", llama_run, [1] * 65, weights)
    fails("want architecture llama, got 'gemma'", llama_run, IDS, weights,
          {"general.architecture": "gemma"})
    fails("scaled rotary", llama_run, IDS, weights, {"llama.rope.scaling.type": "yarn"})
    del weights["blk.1.attn_k.weight"]
    fails("no tensor 'blk.1.attn_k.weight'", llama_run, IDS, weights)


def bert_run(ids, weights):
    tiny.write_safetensors("bert.safetensors", weights)
    return bert.forward(SafetensorsFile("bert.safetensors"), bert.shape_of(tiny.BERT, "config"),
                        list(ids))


def encoder_agrees_with_loops():
    weights = tiny.bert_weights(rng)
    got, want = bert_run(IDS, weights), tiny.bert_loops(weights, IDS)
    for at in range(3):
        close(got[at], [layer[at] for layer in want], TOL)


def gelu_is_the_exact_one():
    # x times the normal distribution function; the usual tanh formula gives 0.84119 at 1.
    close(bert.gelu(np.array([0, 1, -1, 3], "f4")),
          [0, 0.8413447460685429, -0.15865525393145705, 2.9959503059051108], 1e-6)


def encoder_without_positions_permutes_with_its_tokens():
    weights = tiny.bert_weights(rng)
    order = rng.permutation(len(IDS))
    with_positions = bert_run(IDS, weights)[0][:, :, order] - bert_run(IDS[order], weights)[0]
    assert np.abs(with_positions).max() > 1e-2
    weights["embeddings.position_embeddings.weight"][:] = 0
    for a, b in zip(bert_run(IDS, weights), bert_run(IDS[order], weights)):
        close(a[:, :, order], b, TOL)


def encoder_refuses_what_it_does_not_do():
    fails("hidden_act: want gelu, got 'relu'", bert.shape_of, dict(tiny.BERT, hidden_act="relu"),
          "config.json")
    fails("its context is 32 tokens, asked for 33", bert_run, [1] * 33, tiny.bert_weights(rng))


check.run([attention_is_softmax_for_any_block_and_shared_keys,
           attention_survives_logits_beyond_the_range_of_exp, shared_key_heads_equal_repeated_ones,
           rope_turns_pairs, rope_keeps_norms_and_sees_only_distances,
           rope_leaves_coordinates_beyond_its_own, decoder_agrees_with_loops,
           decoder_rows_do_not_depend_on_later_tokens, decoder_with_an_output_matrix_of_its_own,
           decoder_refuses_what_it_does_not_do, encoder_agrees_with_loops, gelu_is_the_exact_one,
           encoder_without_positions_permutes_with_its_tokens, encoder_refuses_what_it_does_not_do])
