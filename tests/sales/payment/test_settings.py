"""A payment provider that could be forged, or leads nowhere, is refused before anything starts."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.payer import KEY, OTHER_KEY
from tests.kit.server import free_port
from tests.supervisor.kit import serve_fails
from xinghe.sales.payment import reporting
from xinghe.settings import Settings, SettingsError, load

SHORT = "whsec_" + base64.b64encode(bytes(23)).decode()
LONG = "whsec_" + base64.b64encode(bytes(65)).decode()
LEAST = "whsec_" + base64.b64encode(bytes(24)).decode()
MOST = "whsec_" + base64.b64encode(bytes(64)).decode().rstrip("=")
TABLE = '[payment.providers."{name}"]\nsecret = "{secret}"\ncheckout_url = "{url}"\n{more}\n'


def settings(
    folder: Path, *, name: str = "bridge", secret: str = KEY, url: str = "", more: str = ""
) -> Settings:
    text = TABLE.format(name=name, secret=secret, url=url, more=more)
    (folder / "xinghe.toml").write_text(text, "utf-8")
    return load(str(folder), environ={})


@pytest.mark.parametrize("secret", [KEY, LEAST, MOST, f"{KEY} {OTHER_KEY}", f"  {KEY}\t"])
def test_a_secret_that_can_be_used(secret: str, tmp_path: Path) -> None:
    assert reporting(settings(tmp_path, secret=secret).payment, {}).keys() == {"bridge"}


def test_no_secret_is_printed(tmp_path: Path) -> None:
    loaded = settings(tmp_path, url="https://pay.example/")
    [provider] = reporting(loaded.payment, {}).values()
    for each in (loaded, loaded.payment, provider, loaded.payment.providers["bridge"]):
        assert KEY.removeprefix("whsec_") not in repr(each)
    assert "https://pay.example/" in repr(loaded.payment)
    assert "https://pay.example/" in repr(provider)


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        (KEY.removeprefix("whsec_"), "is wrong, allowed: whsec_ and base64"),
        ("whsec_", "has a key of 0 bytes, allowed: 24 to 64"),
        ("whsec_***secret***", "is no base64 behind whsec_"),
        ("whsec_a", "is no base64 behind whsec_"),
        ("whsec_geheimnisgeheimnisgeheimnisü", "is no base64 behind whsec_"),
        (SHORT, "has a key of 23 bytes, allowed: 24 to 64"),
        (LONG, "has a key of 65 bytes, allowed: 24 to 64"),
        (f"{KEY} {SHORT}", "has a key of 23 bytes, allowed: 24 to 64"),
        (" ".join([KEY] * 5), "holds 5 keys, allowed: up to 4"),
    ],
)
def test_a_secret_that_cannot(secret: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, secret=secret)
    said = str(refused.value)
    assert f"`providers.bridge.secret` {says}" in said
    assert not [each for each in secret.split() if len(each) > 6 and each in said]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://pay.example/",
        "pay.example/{order}",
        "https://",
        "https://pay.example/{name}",
        "https://pay.example/{}",
        "https://pay.example/{order!r}",
        "https://pay.example/{order:>9}",
        "https://pay.example/{order.id}",
        "https://pay.example/{order",
        "https://pay.example/ {order}",
    ],
)
def test_a_checkout_url_that_leads_nowhere(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"`providers\.bridge\.checkout_url` .*, allowed: "):
        settings(tmp_path, url=url)


@pytest.mark.parametrize("name", ["manual", "", "a/b", "a b", "A", "-a", "支付", "a" * 33, "a.b"])
def test_a_name_that_is_no_part_of_a_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="`providers` has a name that is wrong, allowed: "):
        settings(tmp_path, name=name)


def test_both_a_secret_and_a_variable(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has both `secret` and `secret_env`"):
        settings(tmp_path, more='secret_env = "PAY"')


def test_a_value_of_another_type_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, secret="", more=f'secrets = "{KEY}"')
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "which is not set"),
        ({"PAY": ""}, "which is empty"),
        ({"PAY": SHORT}, "which has a key of 23 bytes"),
    ],
)
def test_the_variable_of_a_secret(environ: dict[str, str], says: str, tmp_path: Path) -> None:
    made = settings(tmp_path, secret="", more='secret_env = "PAY"').payment
    assert reporting(made, {"PAY": KEY}).keys() == {"bridge"}
    with pytest.raises(SettingsError) as refused:
        reporting(made, environ)
    assert f"payment.providers.bridge.secret_env names PAY, {says}" in str(refused.value)


def test_the_service_does_not_start(tmp_path: Path) -> None:
    models = models_toml("http://127.0.0.1:1/v1", free_port(), ALL_SCRIPTED)
    (tmp_path / "models.toml").write_text(models, "utf-8")
    settings(tmp_path, secret="", more='secret_env = "XINGHE_NO_SUCH_VARIABLE"')
    said = serve_fails(tmp_path)
    assert "payment.providers.bridge.secret_env names XINGHE_NO_SUCH_VARIABLE" in said
