"""Every error that a request may meet comes with advice."""

from __future__ import annotations

import pytest

from xinghe.api.errors import Errors
from xinghe.console import advice


@pytest.mark.parametrize("code", [*(each.value.code for each in Errors), "client_gone"])
def test_every_code_has_advice_in_both_languages(code: str) -> None:
    told = advice.of(code)
    assert told != advice.UNKNOWN
    chinese, english = told
    assert any("\u4e00" <= each <= "\u9fff" for each in chinese)
    assert english.isascii()
    assert english.endswith(".")


def test_a_code_that_is_not_known_yet() -> None:
    assert advice.of("a_code_of_tomorrow") == advice.UNKNOWN
