"""GGUF files with random weights, for tests and benchmarks.

    python -m serve.bench.random_model out.gguf --shape qwen2-0.5b

The same seed writes the same bytes. The tokenizer is real (SPM: words, characters, bytes, control tokens, a chat
template); only the weights are random. Needs the `gguf` package, which serving does not.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
WORDS = """runs wickets economy average strike rate batter bowler team phase death powerplay middle over match venue
innings top bottom by and the of in a at for most least scored took with against season final best figures fours sixes
catches not out balls faced economical Jasprit Bumrah Virat Kohli Rohit Sharma Mumbai Chennai Kolkata how many who
what""".split()


@dataclass(frozen=True, slots=True)
class Shape:
    """Dimensions of a Llama-like model."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    vocab: int = 0  # 0: all words, characters and bytes
    architecture: str = "llama"
    context: int = 4096


SHAPES = {
    "tiny": Shape(192, 3, 6, 3, 512),
    "embedded": Shape(320, 8, 5, 5, 864, vocab=4096),
    "qwen2-0.5b": Shape(896, 24, 14, 2, 4864, vocab=151_936, architecture="qwen2"),
}


def vocabulary(size: int = 0) -> tuple[list[bytes], list[float], list[int]]:
    """Tokens, scores and types of an SPM vocabulary: control tokens, bytes, characters, words and their prefixes.

    With `size`, it is padded or cut to that many tokens.
    """
    normal, unknown, control, byte = 1, 2, 3, 6
    tokens = [b"<unk>", b"<s>", b"</s>", b"<|user|>", b"<|assistant|>", b"<|system|>"]
    types = [unknown] + [control] * 5
    tokens += [f"<0x{i:02X}>".encode() for i in range(256)]
    types += [byte] * 256
    space = "\u2581"
    characters = [space] + [chr(c) for c in range(33, 127)]
    parts = {(space + word)[:n] for word in WORDS for n in range(2, len(word) + 2)}
    parts |= {word[:n] for word in WORDS for n in range(2, len(word) + 1)}
    pieces = characters + sorted(parts, key=lambda part: (len(part), part))
    tokens += [piece.encode() for piece in pieces]
    types += [normal] * len(pieces)
    if size:
        filler = [f"\u2581pad{i}".encode() for i in range(size - len(tokens))]
        tokens, types = (tokens + filler)[:size], (types + [normal] * len(filler))[:size]
    scores = [0.0] * (6 + 256) + [-1000.0 + len(token) * 10 for token in tokens[6 + 256 :]]
    return tokens, scores, types


def write_gguf(path: Path, shape: Shape, *, seed: int = 0, quantised: bool = False, template: str = TEMPLATE) -> Path:
    """Write a model of `shape` with random weights, F32 or Q8_0."""
    import gguf

    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), shape.architecture)
    tokens, scores, types = vocabulary(shape.vocab)
    head = shape.hidden // shape.heads
    writer.add_name(f"random {shape.architecture} {shape.hidden}x{shape.layers}")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(head)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(template)

    def matrix(name: str, rows: int, columns: int, scale: float = 1.0) -> None:
        deviation = scale / np.sqrt(columns)
        if not quantised:
            writer.add_tensor(name, rng.normal(0, deviation, (rows, columns)).astype(np.float32))
            return
        blocks = np.zeros((rows, columns // 32), dtype=[("d", "<f2"), ("q", "i1", 32)])
        blocks["d"] = deviation / 73.3  # the standard deviation of uniform integers from -127 to 127
        blocks["q"] = rng.integers(-127, 128, (rows, columns // 32, 32), dtype=np.int8)
        raw = blocks.view(np.uint8).reshape(rows, -1)
        writer.add_tensor(name, raw, raw_dtype=gguf.GGMLQuantizationType.Q8_0)

    def vector(name: str, n: int, value: float) -> None:
        writer.add_tensor(name, np.full(n, value, np.float32))

    matrix("token_embd.weight", len(tokens), shape.hidden, np.sqrt(shape.hidden))
    vector("output_norm.weight", shape.hidden, 1.0)
    if shape.architecture == "llama":
        matrix("output.weight", len(tokens), shape.hidden, 4.0)  # logits spread so wide that ties are unlikely
    kv = shape.kv_heads * head
    for i in range(shape.layers):
        vector(f"blk.{i}.attn_norm.weight", shape.hidden, 1.0)
        matrix(f"blk.{i}.attn_q.weight", shape.hidden, shape.hidden)
        matrix(f"blk.{i}.attn_k.weight", kv, shape.hidden)
        matrix(f"blk.{i}.attn_v.weight", kv, shape.hidden)
        matrix(f"blk.{i}.attn_output.weight", shape.hidden, shape.hidden)
        if shape.architecture == "qwen2":
            for name, n in (("q", shape.hidden), ("k", kv), ("v", kv)):
                vector(f"blk.{i}.attn_{name}.bias", n, 0.01)
        vector(f"blk.{i}.ffn_norm.weight", shape.hidden, 1.0)
        matrix(f"blk.{i}.ffn_gate.weight", shape.ffn, shape.hidden)
        matrix(f"blk.{i}.ffn_up.weight", shape.ffn, shape.hidden)
        matrix(f"blk.{i}.ffn_down.weight", shape.hidden, shape.ffn)
    _finish(writer)
    return path


def write_lora(path: Path, shape: Shape, *, seed: int = 1, rank: int = 4, scale: float = 1.0) -> Path:
    """Write a LoRA adapter in GGUF for a Llama model of `shape`, large enough to change the output."""
    import gguf

    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), shape.architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    for i in range(shape.layers):
        for name, rows, columns in (
            ("attn_q", shape.hidden, shape.hidden),
            ("ffn_down", shape.hidden, shape.ffn),
        ):
            a = rng.normal(0, 1 / np.sqrt(columns), (rank, columns)).astype(np.float32)
            b = rng.normal(0, scale / np.sqrt(rank), (rows, rank)).astype(np.float32)
            writer.add_tensor(f"blk.{i}.{name}.weight.lora_a", a)
            writer.add_tensor(f"blk.{i}.{name}.weight.lora_b", b)
    _finish(writer)
    return path


def _finish(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="tiny")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--f32", action="store_true", help="F32 instead of Q8_0")
    args = parser.parse_args()
    write_gguf(args.out, SHAPES[args.shape], seed=args.seed, quantised=not args.f32)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, random weights, {args.shape}")


if __name__ == "__main__":
    main()
