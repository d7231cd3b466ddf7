"""The payment providers that the settings name."""

import os
from collections.abc import Mapping

import msgspec

from xinghe.sales.orders import Order
from xinghe.sales.payment.hosted import Hosted
from xinghe.sales.payment.manual import Manual
from xinghe.sales.payment.provider import Checkout, Provider, Reporting
from xinghe.settings import SettingsError
from xinghe.settings.payment import Payment, signing_keys
from xinghe.settings.payment import Provider as Configured


class Providers(msgspec.Struct, frozen=True):
    """By their names; `reporting` are those that send events."""

    known: Mapping[str, Provider]
    reporting: Mapping[str, Reporting]

    @classmethod
    def of(cls, payment: Payment, environ: Mapping[str, str] = os.environ) -> "Providers":
        """Raises `SettingsError` where one has no key that can be used."""
        manual = Manual(payment.instructions)
        reporting: dict[str, Reporting] = {
            name: Hosted(name, each.checkout_url, payment.instructions, _keys(name, each, environ))
            for name, each in payment.providers.items()
        }
        return cls({manual.name: manual, **reporting}, reporting)

    def checkout(self, order: Order) -> Checkout:
        """How to pay an order: not at all where its provider is in the settings no more."""
        provider = self.known.get(order.provider)
        return Checkout() if provider is None else provider.checkout(order)


def _keys(name: str, configured: Configured, environ: Mapping[str, str]) -> list[str]:
    if not configured.secret_env:
        return signing_keys(configured.secret)
    variable = configured.secret_env
    try:
        return signing_keys(environ.get(variable, ""))
    except ValueError as error:
        state = str(error) if variable in environ else "is not set"
        raise SettingsError(
            f"payment.providers.{name}.secret_env names {variable}, which {state}"
        ) from None
