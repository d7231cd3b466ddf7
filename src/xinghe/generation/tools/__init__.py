"""Function call (section 5.6) for engines without good tools of their own.

The platform writes the prompt, constrains what is generated, and reads the calls out of it.
"""

from xinghe.generation.tools.check import arguments_fault, offered, vet
from xinghe.generation.tools.plan import Decision, ToolPlan, decide, plan
from xinghe.generation.tools.prompt import flatten
from xinghe.generation.tools.reader import CallReader

__all__ = [
    "CallReader",
    "Decision",
    "ToolPlan",
    "arguments_fault",
    "decide",
    "flatten",
    "offered",
    "plan",
    "vet",
]
