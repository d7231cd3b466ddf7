"""The payment providers that the settings name, and how an order is paid by its own."""

import os
from collections.abc import Mapping

from xinghe.sales.orders import Order
from xinghe.sales.payment.hosted import Hosted
from xinghe.sales.payment.manual import Manual
from xinghe.sales.payment.provider import Checkout, Provider, Reporting
from xinghe.settings import SettingsError
from xinghe.settings.payment import MANUAL, Payment, signing_keys
from xinghe.settings.payment import Provider as Configured


def checkout(payment: Payment, order: Order, at: int) -> Checkout:
    """How to pay an order while it waits; not at all where its provider is set no more."""
    if order.state != "open" or order.expired(at):
        return Checkout()
    provider = _provider(payment, order.provider)
    return Checkout() if provider is None else provider.checkout(order)


def reporting(payment: Payment, environ: Mapping[str, str] = os.environ) -> dict[str, Reporting]:
    """Those that send events, by name. Raises `SettingsError`: one has no key that can be used."""
    return {
        name: Hosted(name, each.checkout_url, payment.instructions, _keys(name, each, environ))
        for name, each in payment.providers.items()
    }


def _provider(payment: Payment, name: str) -> Provider | None:
    """Without its keys: a command that shows how to pay may not have them."""
    if name == MANUAL:
        return Manual(payment.instructions)
    configured = payment.providers.get(name)
    if configured is None:
        return None
    return Hosted(name, configured.checkout_url, payment.instructions)


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
