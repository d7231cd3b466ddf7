"""The operators' API under `/admin/v1`: members, groups, wallets, tokens, budgets, audit."""

from xinghe.admin.edge import Admin
from xinghe.admin.operation import AdminServices
