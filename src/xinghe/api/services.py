"""The services that operations use, as `app.py` has made them."""

from __future__ import annotations

from xinghe.api.authentication import Lapses
from xinghe.api.chat.pictures import PictureLoader
from xinghe.catalog import Catalog
from xinghe.dispatch import Deployments
from xinghe.generation.planning import AnswerServices
from xinghe.generation.vetting import Vetting
from xinghe.images.store import ImageStore
from xinghe.ledger import Ledger
from xinghe.limits import Limiter
from xinghe.settings import Settings


class Services(AnswerServices, frozen=True, kw_only=True):
    """Everything that lives as long as the process and an operation needs."""

    settings: Settings
    catalog: Catalog
    deployments: Deployments
    limiter: Limiter
    ledger: Ledger
    lapses: Lapses
    pictures: PictureLoader
    images: ImageStore
    vetting: Vetting
