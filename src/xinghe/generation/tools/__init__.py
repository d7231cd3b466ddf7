"""Function call (section 5.6) for engines without good tools of their own.

The platform writes the prompt, and constrains what is generated; `tool_parser` reads the calls
out of it.
"""

from xinghe.generation.tools.plan import (
    Decision,
    ToolPlan,
    decide,
    declared,
    offered,
    placed,
    plan,
    vet,
)
from xinghe.generation.tools.prompt import flatten
