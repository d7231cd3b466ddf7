"""All pages: each folder tells at which paths it answers."""

from xinghe.console.backups import page as backups
from xinghe.console.bill import page as bill
from xinghe.console.config import page as config
from xinghe.console.config import versions as config_versions
from xinghe.console.connect import page as connect
from xinghe.console.group import invite as group_invite
from xinghe.console.group import page as group
from xinghe.console.group import person as group_person
from xinghe.console.group import report as group_report
from xinghe.console.health import page as health
from xinghe.console.limits import page as limits
from xinghe.console.live import page as live
from xinghe.console.models import page as models
from xinghe.console.operate import audit as operate_audit
from xinghe.console.operate import groups as operate_groups
from xinghe.console.operate import members as operate_members
from xinghe.console.operate import wallet as operate_wallet
from xinghe.console.overview import page as overview
from xinghe.console.playground import page as playground
from xinghe.console.playground.embeddings import page as embeddings
from xinghe.console.playground.images import page as images
from xinghe.console.playground.rerank import page as rerank
from xinghe.console.reference import page as reference
from xinghe.console.route import Route
from xinghe.console.safety import page as safety
from xinghe.console.sales import codes as sold_codes
from xinghe.console.sales import events as payment_events
from xinghe.console.sales import orders as sold_orders
from xinghe.console.sales import packages as sold_packages
from xinghe.console.shop import order as shop_order
from xinghe.console.shop import page as shop
from xinghe.console.signin import page as signin
from xinghe.console.start import page as start
from xinghe.console.tokens import one as token
from xinghe.console.tokens import page as tokens
from xinghe.console.usage import page as usage

ROUTES: tuple[Route, ...] = (
    *signin.ROUTES,
    *overview.ROUTES,
    *start.ROUTES,
    *connect.ROUTES,
    *playground.ROUTES,
    *images.ROUTES,
    *embeddings.ROUTES,
    *rerank.ROUTES,
    *tokens.ROUTES,
    *token.ROUTES,
    *shop.ROUTES,
    *shop_order.ROUTES,
    *sold_orders.ROUTES,
    *sold_packages.ROUTES,
    *sold_codes.ROUTES,
    *payment_events.ROUTES,
    *live.ROUTES,
    *config.ROUTES,
    *config_versions.ROUTES,
    *safety.ROUTES,
    *limits.ROUTES,
    *health.ROUTES,
    *backups.ROUTES,
    *models.ROUTES,
    *usage.ROUTES,
    *bill.ROUTES,
    *group.ROUTES,
    *group_invite.ROUTES,
    *group_report.ROUTES,
    *group_person.ROUTES,
    *operate_members.ROUTES,
    *operate_groups.ROUTES,
    *operate_wallet.ROUTES,
    *operate_audit.ROUTES,
    *reference.ROUTES,
)
