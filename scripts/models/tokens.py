"""From text to token ids, with the tokeniser that the model's own file describes."""
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

from files import Failure


def decoder_ids(file, text):
    """Byte-pair encoding by the vocabulary and merges in a GGUF file; no token is put in front."""
    for key, want in (("tokenizer.ggml.model", "gpt2"), ("tokenizer.ggml.pre", "smollm"),
                      ("tokenizer.ggml.add_bos_token", False)):
        if file.get(key) != want:
            raise Failure(f"{file.path}: {key}: want {want}, got '{file.get(key)}'")
    words = {word: number for number, word in enumerate(file.get("tokenizer.ggml.tokens"))}
    merges = [tuple(merge.split(" ")) for merge in file.get("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(BPE(vocab=words, merges=merges))
    # What 'smollm' stands for: digits one by one, then the words of GPT-2.
    tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True),
                                        ByteLevel(add_prefix_space=False, use_regex=True)])
    return tokenizer.encode(text, add_special_tokens=False).ids


def encoder_windows(path, text, n, count):
    """`count` windows of n tokens, one after the other, each between the marks [CLS] and [SEP]."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    first, last = tokenizer.encode("").ids
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    inner = n - 2
    if len(ids) < count * inner:
        raise Failure(f"the text has {len(ids)} tokens of the encoder, {count * inner} are wanted")
    return [[first, *ids[w * inner:(w + 1) * inner], last] for w in range(count)]
