"""How often, how much and how many at once: RPM, TPM and QPS by one algorithm, and places."""

from xinghe.limits.budgets import asked, left
from xinghe.limits.choosing import stores
from xinghe.limits.limiter import Admission, Limiter
from xinghe.limits.places import Place, Places
from xinghe.limits.quota import HIGHEST, MEMBER, Ask, RateLimited, per_minute, per_second
from xinghe.limits.store import AtWork, Rates, Taken
