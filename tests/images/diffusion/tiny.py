"""A Stable Diffusion XL with random weights, in the exact formats of the real one on disk.

`python -m tests.images.diffusion.tiny FOLDER`, with the interpreter of `.venv-images`, writes the
folder and beside it `FOLDER.safetensors`, the same in a single file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from tests.images.diffusion.single import single_file

FIRST, SECOND = 8, 16
"""Widths of the text encoders. As those of the real ones they differ: by its width diffusers tells
which of the two a single file has under which names."""
TIME = 4


def bytes_to_unicode() -> list[str]:
    """The 256 signs of byte-level BPE (Radford et al., 2019)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + at) for at in range(len(hidden))]


def tokenizer(folder: Path, pad: str) -> CLIPTokenizer:
    """One token a byte: no merges."""
    signs = bytes_to_unicode()
    words = [*signs, *(f"{sign}</w>" for sign in signs), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({word: at for at, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(str(folder), pad_token=pad, model_max_length=77)


def encoder_config(words: int, width: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=words,
        hidden_size=width,
        intermediate_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        projection_dim=width,
        max_position_embeddings=77,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
        pad_token_id=words - 1,
    )


def pipeline(folder: Path) -> StableDiffusionXLPipeline:
    torch.manual_seed(0)
    first = tokenizer(folder / "first", "<|endoftext|>")
    second = tokenizer(folder / "second", "!")
    unet = UNet2DConditionModel(
        sample_size=16,
        # Attention stands at an eighth of the latents' size alone: above, it would take minutes.
        block_out_channels=(4, 4, 4, 8),
        layers_per_block=1,
        norm_num_groups=2,
        down_block_types=(*("DownBlock2D",) * 3, "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", *("UpBlock2D",) * 3),
        attention_head_dim=(1, 1, 1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME,
        transformer_layers_per_block=(1, 1, 1, 1),
        projection_class_embeddings_input_dim=6 * TIME + SECOND,
        cross_attention_dim=FIRST + SECOND,
    )
    vae = AutoencoderKL(
        block_out_channels=(2, 2, 2, 2),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=1,
        latent_channels=4,
        mid_block_add_attention=False,
        sample_size=1024,
        scaling_factor=0.13025,
    )
    words = len(first)
    return StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(encoder_config(words, FIRST)),
        text_encoder_2=CLIPTextModelWithProjection(encoder_config(words, SECOND)),
        tokenizer=first,
        tokenizer_2=second,
        unet=unet,
        # That of stable-diffusion-xl-base-1.0.
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            steps_offset=1,
            timestep_spacing="leading",
        ),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )


if __name__ == "__main__":
    place = Path(sys.argv[1])
    made = pipeline(place.with_name(place.name + ".tokenizers"))
    made.save_pretrained(place, safe_serialization=True)
    save_file(single_file(made), place.with_name(place.name + ".safetensors"))
