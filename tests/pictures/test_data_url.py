"""Data URLs: any label, but honest base64."""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.pictures import MAX_BYTES, PictureError, opening, read_data_url


@given(st.binary(min_size=1, max_size=300), st.sampled_from(["image/jpeg", "image/PNG", "", "x"]))
def test_the_label_is_not_looked_at(data: bytes, label: str) -> None:
    assert read_data_url(f"data:{label};base64,{base64.b64encode(data).decode()}") == data


def test_parameters_case_and_line_breaks() -> None:
    wrapped = base64.encodebytes(b"x" * 200).decode()
    assert read_data_url(f"DATA:image/png;charset=utf-8;name=a.png;Base64,{wrapped}") == b"x" * 200


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "begins with ''"),
        ("AAAA", "begins with 'AAAA'"),
        ("data:image/png,AAAA", "begins with 'data:image/png,AAAA'"),
        ("data:image/png;base64", "begins with 'data:image/png;base64'"),
        ("file:///etc/passwd", "begins with 'file:///etc/passwd'"),
        ("data:" + ";" * 1_000_000, "begins with 'data:;;"),
        ("data:image/png;base64,", "has 0 bytes"),
        ("data:image/png;base64,%%%%", "not base64"),
        ("data:image/png;base64,AAA", "not base64"),
        ("data:image/png;base64,AA==AA==", "not base64"),
        ("data:image/png;base64,-_-_", "not base64"),
        ("data:image/png;base64,图片", "not base64"),
        ("data:image/png;base64,AA\0A", "not base64"),
        ('data:image/png;base64,{"a":1}', "not base64"),
    ],
)
def test_what_is_refused_and_why(url: str, reason: str) -> None:
    with pytest.raises(PictureError) as error:
        read_data_url(url)
    assert reason in str(error.value)
    assert len(str(error.value)) < 300


def test_ten_megabytes_to_the_byte() -> None:
    head = "data:image/png;base64,"
    assert len(read_data_url(head + base64.b64encode(bytes(MAX_BYTES)).decode())) == MAX_BYTES
    for much in (MAX_BYTES + 1, 4 * MAX_BYTES):
        with pytest.raises(PictureError, match=r"must have between 1 and 10485760 \(10 MB\)"):
            read_data_url(head + base64.b64encode(bytes(much)).decode())


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for url in (text, "data:" + text, "data:image/png;base64," + text):
        with suppress(PictureError):
            assert read_data_url(url)


@given(
    st.lists(st.sampled_from(["AAAA", "AA==", "Q/A=", "\n", "A", "=", " %"]), max_size=8).map(
        "".join
    ),
    st.integers(1, 9),
)
def test_it_is_the_same_however_it_is_sliced(body: str, slice_: int) -> None:
    try:
        whole = "".join(body.split())
        wanted = binascii.a2b_base64(whole, strict_mode=True)
    except ValueError:
        wanted = b""
    if len(whole) % 4:
        wanted = b""  # the library passes over a "==" too many
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "SLICE", slice_)
        try:
            found = read_data_url(f"data:image/png;base64,{body}")
        except PictureError:
            found = b""
    assert found == wanted
