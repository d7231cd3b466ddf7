"""How often and how much an account may ask: RPM, TPM and QPS by one algorithm."""

from xinghe.limits.limiter import Admission, Limiter, RateLimited
