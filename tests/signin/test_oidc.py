"""Sign-in at a real OpenID provider: nanoidp, which wants PKCE and takes a code once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.kit.openid import CLIENT, SECRET, OpenIDProvider
from xinghe.settings import OpenID
from xinghe.signin import oidc
from xinghe.signin.id_token import Unproven
from xinghe.signin.oidc import Provider, ProviderFailed, is_answer, new_secret

BACK = "http://127.0.0.1:8000/auth/v1/oidc/callback"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIDProvider]:
    made = OpenIDProvider(tmp_path_factory.mktemp("openid") / "config", BACK)
    with made.running():
        yield made


@pytest.fixture
def settings(real: OpenIDProvider) -> OpenID:
    return OpenID(issuer=real.issuer, client_id=CLIENT, client_secret=SECRET)


@pytest.fixture
async def provider(settings: OpenID) -> AsyncIterator[Provider]:
    made = Provider(settings, BACK)
    yield made
    await made.aclose()


async def back(real: OpenIDProvider, provider: Provider, secret: str, name: str) -> dict[str, str]:
    """What comes back with the browser of somebody who signed in."""
    address = await provider.address(secret)
    return await asyncio.to_thread(real.sign_in, address, name)


async def test_who_signs_in_there_is_known_by_issuer_and_subject(
    real: OpenIDProvider, provider: Provider
) -> None:
    secret = new_secret()
    brought = await back(real, provider, secret, "alice")
    assert is_answer(secret, brought["state"])
    identity = await provider.identity(secret, brought["code"])
    assert (identity.issuer, identity.subject) == (real.issuer, "alice")


async def test_a_code_counts_once(real: OpenIDProvider, provider: Provider) -> None:
    secret = new_secret()
    brought = await back(real, provider, secret, "alice")
    await provider.identity(secret, brought["code"])
    with pytest.raises(Unproven, match="does not take the code"):
        await provider.identity(secret, brought["code"])


async def test_a_stolen_code_is_worth_nothing_in_another_browser(
    real: OpenIDProvider, provider: Provider
) -> None:
    secret, other = new_secret(), new_secret()
    brought = await back(real, provider, secret, "alice")
    assert not is_answer(other, brought["state"])
    with pytest.raises(Unproven, match="does not take the code"):  # its PKCE is of another secret
        await provider.identity(other, brought["code"])


async def test_a_changed_key_of_the_provider_is_found(
    real: OpenIDProvider, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = new_secret()
    brought = await back(real, provider, secret, "alice")
    await provider.identity(secret, brought["code"])
    real.rotate_keys()
    brought = await back(real, provider, secret, "bob")
    with pytest.raises(Unproven, match="does not show"):
        await provider.identity(secret, brought["code"])  # asked for too lately
    monkeypatch.setattr(oidc, "AGAIN", 0.0)
    brought = await back(real, provider, secret, "bob")
    assert (await provider.identity(secret, brought["code"])).subject == "bob"


async def test_a_client_without_a_secret_or_with_a_wrong_one(
    real: OpenIDProvider, settings: OpenID
) -> None:
    wrong = Provider(OpenID(issuer=real.issuer, client_id=CLIENT, client_secret="wrong"), BACK)
    secret = new_secret()
    brought = await back(real, wrong, secret, "alice")
    with pytest.raises(Unproven):
        await wrong.identity(secret, brought["code"])
    await wrong.aclose()


async def test_what_the_browser_is_sent_with_tells_neither_secret_nor_verifier(
    provider: Provider,
) -> None:
    secret = new_secret()
    address = await provider.address(secret)
    asked = parse_qs(urlsplit(address).query)
    assert secret not in address
    assert oidc.derived(secret, "verifier") not in address
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [BACK]
    values = [asked[name][0] for name in ("state", "nonce", "code_challenge")]
    assert len(set(values)) == 3
    assert values != [
        parse_qs(urlsplit(await provider.address(new_secret())).query)[name][0]
        for name in ("state", "nonce", "code_challenge")
    ]


async def test_a_provider_that_is_away_is_told_from_one_that_refuses(settings: OpenID) -> None:
    away = Provider(OpenID(issuer="http://127.0.0.1:1", client_id=CLIENT), BACK)
    with pytest.raises(ProviderFailed, match="could not be reached"):
        await away.address(new_secret())
    await away.aclose()
