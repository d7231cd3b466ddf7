"""What keeps a running service well: its machine is examined, its database is saved.

Both take their time: a command does them in a process of its own, and requests do not wait for it.
"""

from xinghe.upkeep.backups import NAME, BackupJob, BackupRefused, Backups, Listed, Saved
from xinghe.upkeep.examination import Check, Examination
