"""Refusals of `/responses`: OpenAI's, by the names that fields have here."""

from xinghe.api.error_form import RenamedParams

NAMES = {"messages": "input", "functions": "tools", "system": "instructions", "logprobs": "include"}
"""What is called otherwise where answers are made."""
RESPONSES_ERRORS = RenamedParams(NAMES)
