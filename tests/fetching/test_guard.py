"""What the guard refuses, and that it says the same of everything it refuses."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fetching.conftest import NAME, Fetch
from tests.fetching.stage import Stage, answer, redirect, staged
from xinghe.fetching import Fetcher, UrlRefused
from xinghe.fetching.policy import Address
from xinghe.settings import Fetching

REFUSED = (
    "the URL is refused: only http and https URLs of public hosts, without user and password, "
    "on port 80, 443 are fetched"
)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pictures.example/a.png",
        "//pictures.example/a.png",
        "file:///etc/passwd",
        "file://pictures.example/etc/passwd",
        "gopher://pictures.example:80/_GET",
        "ftp://pictures.example/a.png",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "http://",
        "http:///etc/passwd",
        "http://user@pictures.example/",
        "http://user:password@pictures.example/",
        "http://:password@pictures.example/",
        "http://pictures.example:22/",
        "http://pictures.example:0/",
        "http://pictures.example:99999/",
        "http://pictures.example\\@127.0.0.1/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 130 + "example/",
        "http://pictures.example/" + "a" * 8192,
        "http://a..b/",
        "http://nowhere.invalid/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://localhost:80/",
        "http://127.0.0.1/",
        "http://127.0.0.1:443/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://0/",
        "http://0.0.0.0/",
        "http://127.0.0.0x1/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://ｌｏｃａｌｈｏｓｔ/",
        "http://%6c%6f%63%61%6c%68%6f%73%74/",
        "http://[::]/",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::127.0.0.1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1%25lo]/",
        "http://[fe80::1%lo]/",
        "http://[::1%25lo]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://100.100.100.200/latest/meta-data/",
        "http://10.0.0.1/",
        "http://192.168.0.1/",
        "http://224.0.0.1/",
        "https://127.0.0.1/",
    ],
)
async def test_refused_in_the_same_words(url: str, fetch: Fetch, stage: Stage) -> None:
    with pytest.raises(UrlRefused) as refusal:
        await fetch(url)
    assert str(refusal.value) == REFUSED
    assert stage.heads == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "//127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://user@pictures.example/",
        "http://pictures.example:22/",
        "https://pictures.example:8443/",
        "file:///etc/passwd",
        "gopher://pictures.example:80/_GET",
        "data:image/png;base64,AAAA",
        "ftp://pictures.example/",
    ],
)
async def test_refused_in_a_redirect_in_the_same_words(
    url: str, fetch: Fetch, stage: Stage
) -> None:
    stage.plays["/"] = redirect(url)
    with pytest.raises(UrlRefused) as refusal:
        await fetch("/")
    assert str(refusal.value) == REFUSED
    assert len(stage.heads) == 1


def _forms(address: ipaddress.IPv4Address) -> list[str]:
    number = int(address)
    a, b, c, d = address.packed
    return [
        str(address),
        str(number),
        hex(number),
        f"0{number:o}",
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a}.{b}.{number & 0xFFFF}",
        f"[::ffff:{address}]",
        f"[::{address}]",
        f"[64:ff9b::{address}]",
        f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]",
        f"{address}.",
    ]


@given(
    st.sampled_from(["127.0.0.0/8", "10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"]).flatmap(
        lambda network: st.ip_addresses(v=4, network=network)
    )
)
def test_every_way_to_write_a_private_address_is_refused(address: ipaddress.IPv4Address) -> None:
    fetcher = Fetcher(Fetching())

    async def try_all() -> None:
        for form in _forms(address):
            with pytest.raises(UrlRefused):
                await fetcher.fetch(f"http://{form}/", max_bytes=1, timeout=5)

    asyncio.run(try_all())


class Answers:
    """A name server that answers differently each time it is asked; its last answer stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.asked = 0
        self._answers = answers

    async def __call__(self, host: str, /) -> list[Address]:
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        if not answer:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [ipaddress.ip_address(address) for address in answer]


async def test_a_name_is_looked_up_once_and_that_answer_is_connected_to() -> None:
    # 127.0.0.2 plays the public host here, 127.0.0.1 what must not be reached.
    async with staged("127.0.0.2") as public, staged("127.0.0.1") as private:
        public.plays["/"] = answer(b"public")
        private.plays["/"] = answer(b"private")
        names = Answers(["127.0.0.2"], ["127.0.0.1"])
        allow = (f"127.0.0.2:{public.port}",)
        fetcher = Fetcher(Fetching(allow=allow), names)
        url = f"http://rebind.example:{public.port}/"
        got = await fetcher.fetch(url, max_bytes=100, timeout=5)
        assert (got.data, names.asked, private.heads) == (b"public", 1, [])
        with pytest.raises(UrlRefused):
            await fetcher.fetch(url, max_bytes=100, timeout=5)


async def test_a_name_is_checked_again_at_each_hop() -> None:
    async with staged("127.0.0.2") as public:
        public.plays["/"] = redirect("/again")
        public.plays["/again"] = answer(b"reached")
        names = Answers(["127.0.0.2"], ["127.0.0.1"])
        fetcher = Fetcher(Fetching(allow=(f"127.0.0.2:{public.port}",)), names)
        with pytest.raises(UrlRefused):
            await fetcher.fetch(f"http://rebind.example:{public.port}/", max_bytes=100, timeout=5)
        assert (names.asked, len(public.heads)) == (2, 1)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["2606:4700::1", "::1"],
        ["8.8.8.8", "fe80::1%lo"],
        ["::ffff:8.8.8.8"],
        [],
    ],
)
async def test_one_bad_address_condemns_the_name(addresses: list[str]) -> None:
    fetcher = Fetcher(Fetching(), Answers(addresses))
    with pytest.raises(UrlRefused) as refusal:
        await fetcher.fetch("http://mixed.example/", max_bytes=1, timeout=5)
    assert str(refusal.value) == REFUSED


async def test_no_proxy_and_no_credentials_from_the_environment(
    fetch: Fetch, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        stage.plays["/"] = answer(b"direct")
        assert (await fetch("/")).data == b"direct"
        assert proxy.heads == []


async def test_cookies_are_neither_kept_nor_sent(fetch: Fetch, stage: Stage) -> None:
    stage.plays["/"] = answer(
        b"", "Set-Cookie: a=b; Path=/", "Location: /next", status="303 See Other"
    )
    stage.plays["/next"] = answer(b"here")
    assert (await fetch("/")).final_url == f"http://{NAME}/next"
    assert len(stage.heads) == 2
    assert all("cookie" not in head.lower() for head in stage.heads)
    assert all("referer" not in head.lower() for head in stage.heads)
