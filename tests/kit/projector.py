"""A vision tower and projector (mmproj) in llama.cpp's own file form, tiny and of random weights.

It sees nothing sensible, but a picture takes the real way: decoded, scaled, cut into patches,
encoded, projected into the model's embedding space and read there as tokens.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

PATCH = 28
"""Pixels: the side of the square that one token stands for."""
EMBEDDING = 896
"""The length of a token's vector in the small chat weights."""
_WIDTH, _HEADS, _INNER, _SIDE = 64, 2, 128, 560


def write_projector(file: Path, embedding: int = EMBEDDING) -> Path:
    """Write one of Pixtral's kind: pictures of up to 560 × 560 pixels, one token a patch, and
    one at the end of each row but the last."""
    draw = np.random.default_rng(7)

    def tensor(name: str, *shape: int, spread: float = 0.1, kind: type = np.float32) -> None:
        writer.add_tensor(name, draw.normal(0, spread, shape).astype(kind))

    writer = gguf.GGUFWriter(file, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "pixtral")
    writer.add_uint32("clip.vision.image_size", _SIDE)
    writer.add_uint32("clip.vision.patch_size", PATCH)
    writer.add_uint32("clip.vision.embedding_length", _WIDTH)
    writer.add_uint32("clip.vision.feed_forward_length", _INNER)
    writer.add_uint32("clip.vision.projection_dim", embedding)
    writer.add_uint32("clip.vision.block_count", 1)
    writer.add_uint32("clip.vision.attention.head_count", _HEADS)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    writer.add_bool("clip.use_silu", True)
    # In half precision, as all such files have it: the convolution misreads any other.
    tensor("v.patch_embd.weight", _WIDTH, 3, PATCH, PATCH, kind=np.float16)
    for name in ("pre_ln", "blk.0.ln1", "blk.0.ln2"):
        writer.add_tensor(f"v.{name}.weight", np.ones(_WIDTH, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
        tensor(f"v.blk.0.{name}.weight", _WIDTH, _WIDTH)
    tensor("v.blk.0.ffn_gate.weight", _INNER, _WIDTH)
    tensor("v.blk.0.ffn_up.weight", _INNER, _WIDTH)
    tensor("v.blk.0.ffn_down.weight", _WIDTH, _INNER)
    tensor("mm.1.weight", embedding, _WIDTH)
    # About as long as the vectors of words: the model's arithmetic fails on much longer ones.
    tensor("mm.2.weight", embedding, embedding, spread=0.001)
    tensor("v.token_embd.img_break", embedding, spread=0.02)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
