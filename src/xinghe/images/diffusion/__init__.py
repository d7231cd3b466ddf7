"""Stable Diffusion XL in a process of its own, through the library diffusers."""

from xinghe.images.diffusion.engine import DiffusionEngine
