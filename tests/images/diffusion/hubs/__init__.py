"""Hubs on this machine: the routes that the hubs' own clients call, before one repository."""

from tests.images.diffusion.hubs.huggingface import HuggingFace
from tests.images.diffusion.hubs.modelscope import ModelScope

__all__ = ["HuggingFace", "ModelScope"]
