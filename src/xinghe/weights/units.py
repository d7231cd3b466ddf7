"""Bytes for people."""

from __future__ import annotations


def human(size: int) -> str:
    """`1117320768` as `1.1 GB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
