"""Function call (section 5.6) for engines without good tools of their own.

The platform writes the prompt, and constrains what is generated; `tool_parser` reads the calls
out of it. `grammar` compiles their schemas, and is left out here: workers alone load it.
"""

from xinghe.generation.tools.plan import Decision, ToolPlan, offered, placed, plan
from xinghe.generation.tools.prompt import flatten
