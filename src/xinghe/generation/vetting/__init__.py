"""Vetting (sections 5.5 and 5.6) in worker processes: a schema costs nobody but its sender.

`Vetting` is the entrance. It hands on `VettedForm` and `VettedTools`, which generation holds an
answer to and checks it by. `child` is the workers' side.
"""

from xinghe.generation.vetting.service import Unverified, VettedForm, VettedTools, Vetting
