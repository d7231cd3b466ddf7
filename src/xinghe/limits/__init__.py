"""How often and how much may be asked: RPM, TPM and QPS by one algorithm."""

from xinghe.limits.limiter import Admission, Limiter, RateLimited
from xinghe.limits.quota import Ask, per_minute, per_second
