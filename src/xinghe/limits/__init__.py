"""How often and how much an account may ask: RPM, TPM and QPS by one algorithm."""

from xinghe.limits.errors import RateLimited
from xinghe.limits.limiter import Admission, Limiter
from xinghe.limits.local import LocalStore
from xinghe.limits.store import Store

__all__ = ["Admission", "Limiter", "LocalStore", "RateLimited", "Store"]
