"""A Llama of one small layer with random weights: it says nothing sensible, and loads at once.

Its vocabulary is of SentencePiece's kind, and set up for trouble: the pieces of `</s>` merge into
it, a special token stands in the file as an ordinary one, and every text begins with a space.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

_WIDTH, _HEADS, _INNER = 32, 2, 64
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE = 1, 2, 3, 4, 6
CONTROL = ("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "<tool>", "<|eot_id|>")
"""`<tool>` is user-defined; of `<|eot_id|>` llama.cpp knows by its name that it controls."""


def _vocabulary() -> list[tuple[str, int]]:
    tokens = [("<unk>", _UNKNOWN), ("<s>", _CONTROL), ("</s>", _CONTROL)]
    tokens += [(f"<0x{byte:02X}>", _BYTE) for byte in range(256)]
    tokens += [("[INST]", _CONTROL), ("[/INST]", _CONTROL), ("<tool>", _USER_DEFINED)]
    tokens += [("<|eot_id|>", _NORMAL), ("▁▁", _USER_DEFINED)]
    merged = ["</", "s>", "<s", "/s", "/s>", "</s", "to", "ol", "tool", "<tool", "<|", "|>", "eot"]
    single = ["▁", *map(chr, range(33, 127))]
    return tokens + [(text, _NORMAL) for text in (*merged, *single)]


def write_tiny(file: Path, template: str, *, context: int = 512) -> Path:
    """Write it with a chat template."""
    vocabulary = _vocabulary()
    draw = np.random.default_rng(7)
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(context)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in vocabulary])
    writer.add_token_types([kind for _, kind in vocabulary])
    writer.add_token_scores([-float(number) for number in range(len(vocabulary))])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(True)
    writer.add_chat_template(template)
    shapes = {"token_embd": (len(vocabulary), _WIDTH), "output": (len(vocabulary), _WIDTH)}
    shapes |= {f"blk.0.attn_{name}": (_WIDTH, _WIDTH) for name in ("q", "k", "v", "output")}
    shapes |= {f"blk.0.ffn_{name}": (_INNER, _WIDTH) for name in ("gate", "up")}
    shapes |= {"blk.0.ffn_down": (_WIDTH, _INNER)}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", draw.normal(0, 0.1, shape).astype(np.float32))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(_WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
