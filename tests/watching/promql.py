"""What an expression of Prometheus names: metrics, and the labels that it asks of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FUNCTIONS = {
    "abs", "avg", "avg_over_time", "changes", "count", "count_over_time", "histogram_quantile",
    "increase", "label_values", "max", "min", "predict_linear", "rate", "sum", "time", "vector",
}  # fmt: skip
WORDS = {"and", "bool", "by", "group_left", "ignoring", "offset", "on", "or", "unless", "without"}
TOKEN = re.compile(r'"[^"]*"|\[[^\]]*\]|\$?[A-Za-z_:][\w:]*|\d[\d.]*[a-z]*|[^\s\w]')
PARTS = re.compile(r"_(bucket|sum|count)$")


@dataclass(frozen=True)
class Asked:
    """A selector: the metric as it is written, and the labels that are matched."""

    metric: str
    labels: frozenset[str]


def selectors(expression: str) -> Iterator[Asked]:
    """Those of an expression, without the variables of a dashboard."""
    tokens = TOKEN.findall(expression)
    at, grouped = 0, False
    while at < len(tokens):
        token, then = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else ""
        at += 1
        if token in {"by", "on", "ignoring", "without", "group_left"} and then == "(":
            grouped = True
        elif token == ")":
            grouped = False
        elif re.fullmatch(r"[A-Za-z_:][\w:]*", token) and not grouped and token not in WORDS:
            if then == "(" or tokens[at : at + 1] == ["by"] or _is_argument(tokens, at):
                assert token in FUNCTIONS or _is_argument(tokens, at), f"{token} in {expression}"
                continue
            labels = set[str]()
            if then == "{":
                end = tokens.index("}", at)
                labels = {
                    name
                    for name, sign in zip(tokens[at:end], tokens[at + 1 : end], strict=False)
                    if sign in {"=", "!"} and name not in {"=", "!", "~"}
                }
                at = end + 1
            yield Asked(token, frozenset(labels))


def _is_argument(tokens: list[str], at: int) -> bool:
    """Whether the name before a place is the label of `label_values(metric, label)`."""
    return tokens[0] == "label_values" and tokens[at : at + 1] == [")"]


def grouping(expression: str) -> set[str]:
    """The labels by which results are grouped or joined."""
    lists = re.findall(r"\b(?:by|on|ignoring|without|group_left)\s*\(([^)]*)\)", expression)
    lists += re.findall(r"label_values\([^,]*,([^)]*)\)", expression)
    return {name.strip() for each in lists for name in each.split(",") if name.strip()}


def family(metric: str, known: set[str]) -> str | None:
    """The exported metric that a written name is of; None where there is none."""
    return next((name for name in (metric, PARTS.sub("", metric)) if name in known), None)
