"""A pipeline's tensors under the names that Stable Diffusion XL first had, all in one file.

The inverse of what diffusers does in `loaders/single_file_utils.py`; the names are those of
`sd_xl_base_1.0.safetensors`, so of Stability AI's generative-models and, for the second text
encoder, of OpenCLIP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

Tensors = dict[str, torch.Tensor]

UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
OPENCLIP = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm": "ln_final",
    "text_model.encoder.layers": "transformer.resblocks",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn": "attn",
}
BLOCK = re.compile(r"(?:encoder\.|decoder\.)?(?:down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)")


def single_file(pipeline: Any) -> Tensors:
    """All tensors of the file, those included that diffusers has no use for."""
    parts = {
        "model.diffusion_model.": unet(pipeline.unet),
        "first_stage_model.": decoder(pipeline.vae),
        "conditioner.embedders.0.transformer.": first_encoder(pipeline.text_encoder),
        "conditioner.embedders.1.model.": second_encoder(pipeline.text_encoder_2),
        "denoiser.": {"sigmas": torch.linspace(0.03, 14.6, 1000)},
    }
    return {
        prefix + name: tensor.contiguous()
        for prefix, tensors in parts.items()
        for name, tensor in tensors.items()
    }


def unet(model: Any) -> Tensors:
    return {unet_name(name, model.config): it for name, it in model.state_dict().items()}


def unet_name(name: str, config: Any) -> str:
    block = BLOCK.match(name)
    if block is None:
        name = replaced(name, UNET_ENDS)
        return name if name.startswith("middle_block.1") else replaced(name, UNET_RESNET)
    stage, kind, layer, rest = int(block[1]), block[2], int(block[3]), block[4]
    side, before = ("input_blocks", 1) if name.startswith("down") else ("output_blocks", 0)
    # A stage has one entry more than layers: the step to the next size is one going down, and
    # going up a part of the last.
    entries = config.layers_per_block + 1
    first = before + stage * entries
    match kind:
        case "resnets":
            return f"{side}.{first + layer}.0.{replaced(rest, UNET_RESNET)}"
        case "attentions":
            return f"{side}.{first + layer}.1.{rest}"
        case "downsamplers":
            return f"{side}.{first + entries - 1}.0.{rest.replace('conv', 'op')}"
        case _:
            attends = config.up_block_types[stage].startswith("CrossAttn")
            return f"{side}.{first + entries - 1}.{2 if attends else 1}.{rest}"


def decoder(model: Any) -> Tensors:
    """Of the encoder of pictures as well, which is never used here."""
    stages = len(model.config.block_out_channels)
    return {decoder_name(name, stages): it for name, it in model.state_dict().items()}


def decoder_name(name: str, stages: int) -> str:
    block = BLOCK.match(name)
    if block is None:
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda at: f"mid.block_{int(at[1]) + 1}", name)
        return name.replace("conv_norm_out", "norm_out")
    stage, kind, layer, rest = int(block[1]), block[2], block[3], block[4]
    rest = rest.replace("conv_shortcut", "nin_shortcut")
    # The decoder's stages are counted from the picture, not from the latents.
    side = f"encoder.down.{stage}" if name.startswith("enc") else f"decoder.up.{stages - 1 - stage}"
    if kind == "resnets":
        return f"{side}.block.{layer}.{rest}"
    return f"{side}.{kind.removesuffix('rs')}.{rest}"


def first_encoder(model: Any) -> Tensors:
    tensors = {f"text_model.{bare(name)}": it for name, it in model.state_dict().items()}
    places = model.config.max_position_embeddings
    return {**tensors, "text_model.embeddings.position_ids": torch.arange(places)[None]}


def second_encoder(model: Any) -> Tensors:
    state = {
        name if name.startswith("text_projection") else f"text_model.{bare(name)}": it
        for name, it in model.state_dict().items()
    }
    tensors = {
        "logit_scale": torch.tensor(4.6),
        "text_projection": state.pop("text_projection.weight").T,
    }
    for name, tensor in state.items():
        found = re.fullmatch(r"(.*self_attn)\.q_proj\.(weight|bias)", name)
        if found:
            three = [state[f"{found[1]}.{each}_proj.{found[2]}"] for each in "qkv"]
            tensors[f"{replaced(found[1], OPENCLIP)}.in_proj_{found[2]}"] = torch.cat(three)
        elif not re.search(r"\.[kv]_proj\.", name):
            tensors[replaced(name, OPENCLIP)] = tensor
    return tensors


def bare(name: str) -> str:
    """One of the two classes of encoders has a level more than the other."""
    return name.removeprefix("text_model.")


def replaced(name: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        name = name.replace(old, new)
    return name
