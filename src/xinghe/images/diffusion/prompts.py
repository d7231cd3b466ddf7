"""Prompts of any length as what Stable Diffusion XL reads.

Its two text encoders take 77 tokens at a time, two of which are marks. A longer prompt is cut
into pieces of 75, which are encoded one by one and laid end to end, as the common user
interfaces of Stable Diffusion do.
"""

from __future__ import annotations

from typing import Any

import torch

PIECE = 75


def encode(pipeline: Any, prompt: str, negative_prompt: str) -> dict[str, torch.Tensor]:
    """The arguments of the pipeline that stand for both prompts: (1, 77·k, dim) and (1, dim)."""
    texts = [prompt, negative_prompt]
    pieces = [[_pieces(tokenizer, text) for text in texts] for tokenizer in _tokenizers(pipeline)]
    # Both prompts and both encoders have the same length.
    most = max(len(each) for of_tokenizer in pieces for each in of_tokenizer)
    states, pooled = [], []
    for at, _ in enumerate(texts):
        of_encoders = []
        for tokenizer, encoder, of_tokenizer in zip(
            _tokenizers(pipeline), _encoders(pipeline), pieces, strict=True
        ):
            rows = [_framed(tokenizer, each) for each in _filled(of_tokenizer[at], most)]
            ids = torch.tensor(rows, device=pipeline.device)
            with torch.no_grad():
                output = encoder(ids, output_hidden_states=True)
            hidden = output.hidden_states[-2]
            of_encoders.append(hidden.reshape(1, -1, hidden.shape[-1]))
        states.append(torch.cat(of_encoders, dim=-1))
        pooled.append(output.text_embeds[:1])
    if not negative_prompt and pipeline.config.force_zeros_for_empty_prompt:
        states[1], pooled[1] = torch.zeros_like(states[1]), torch.zeros_like(pooled[1])
    return {
        "prompt_embeds": states[0],
        "negative_prompt_embeds": states[1],
        "pooled_prompt_embeds": pooled[0],
        "negative_pooled_prompt_embeds": pooled[1],
    }


def _tokenizers(pipeline: Any) -> tuple[Any, Any]:
    return pipeline.tokenizer, pipeline.tokenizer_2


def _encoders(pipeline: Any) -> tuple[Any, Any]:
    return pipeline.text_encoder, pipeline.text_encoder_2


def _pieces(tokenizer: Any, text: str) -> list[list[int]]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, truncation=False).input_ids
    return [ids[at : at + PIECE] for at in range(0, len(ids), PIECE)] or [[]]


def _filled(pieces: list[list[int]], most: int) -> list[list[int]]:
    return pieces + [[]] * (most - len(pieces))


def _framed(tokenizer: Any, piece: list[int]) -> list[int]:
    row = [tokenizer.bos_token_id, *piece, tokenizer.eos_token_id]
    return row + [tokenizer.pad_token_id] * (PIECE + 2 - len(row))
