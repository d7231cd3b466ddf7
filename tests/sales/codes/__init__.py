"""Redeem codes."""
