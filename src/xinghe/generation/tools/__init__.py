"""Function call (section 5.6) for engines without good tools of their own.

The platform writes the prompt, constrains what is generated, and reads the calls out of it.
"""

from xinghe.generation.tools.check import check_call, vet
from xinghe.generation.tools.plan import ToolPlan, plan
from xinghe.generation.tools.prompt import flatten
from xinghe.generation.tools.reader import CallReader

__all__ = ["CallReader", "ToolPlan", "check_call", "flatten", "plan", "vet"]
