"""Which pictures are accepted, from base64 to the file, and what is said of the others."""

from __future__ import annotations

import base64
import binascii
import struct
import time
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.kit.pace import allowed
from tests.pictures.render import encoded
from xinghe.pictures import (
    FETCHED,
    INLINE,
    MAX_BYTES,
    PictureError,
    open_picture,
    opening,
    read_data_url,
)

SMALL = Image.linear_gradient("L").resize((37, 23)).convert("RGB")
FORMS = ("JPEG", "PNG", "BMP", "WEBP")


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that says what it likes of its size."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    rest = chunks or (chunk(b"IDAT", zlib.compress(b"")),)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(rest) + chunk(b"IEND", b"")


@pytest.mark.parametrize("form", FORMS)
def test_each_format_is_told_from_its_bytes(form: str) -> None:
    data = encoded(SMALL, form)
    picture = open_picture(data, FETCHED)
    assert (picture.media_type, picture.width, picture.height) == (f"image/{form.lower()}", 37, 23)
    assert picture.data == data


def test_webp_comes_from_a_url_only() -> None:
    with pytest.raises(PictureError, match="data is WEBP; JPEG, PNG, BMP are accepted"):
        open_picture(encoded(SMALL, "WEBP"), INLINE)


@pytest.mark.parametrize("form", ["GIF", "TIFF", "ICO", "PDF", "AVIF"])
def test_other_formats_are_named(form: str) -> None:
    image = SMALL.resize((32, 32)) if form == "ICO" else SMALL
    with pytest.raises(PictureError, match=f"data is {form}; JPEG, PNG, BMP, WEBP are accepted"):
        open_picture(encoded(image, form), FETCHED)


@pytest.mark.parametrize(
    "data", [b"x", b"hello, world" * 10, b"\0" * 1000, b"{}", b"<html>", "图片".encode()]
)
def test_what_is_no_picture(data: bytes) -> None:
    with pytest.raises(PictureError, match="of no known picture format"):
        open_picture(data, FETCHED)


@pytest.mark.parametrize("size", [0, MAX_BYTES + 1])
def test_too_many_bytes_or_none(size: int) -> None:
    with pytest.raises(PictureError, match=f"has {size} bytes; it must have between 1 and"):
        open_picture(bytes(size), FETCHED)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_every_mode_of_png(mode: str) -> None:
    image = Image.new(mode, (5, 4)) if mode == "I;16" else SMALL.convert(mode).resize((5, 4))
    assert open_picture(encoded(image), INLINE).width == 5


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_every_mode_of_jpeg(mode: str, progressive: bool) -> None:
    data = encoded(SMALL.convert(mode), "JPEG", progressive=progressive)
    assert open_picture(data, INLINE).width == 37


def test_what_cameras_add() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    thumbnail = encoded(SMALL, "JPEG")
    data = encoded(SMALL, "JPEG", exif=exif.tobytes(), icc_profile=b"x" * 3000, comment=thumbnail)
    assert (open_picture(data, INLINE).width, open_picture(data, INLINE).height) == (37, 23)
    # The film that some telephones append.
    assert open_picture(data + b"ftypmp42" + b"\xff\xda\xff\xd8" * 50, INLINE).width == 37


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_an_animation_is_taken(form: str) -> None:
    frames = [SMALL, SMALL.rotate(180)]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
    assert open_picture(data, FETCHED).width == 37


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_ends_early(form: str) -> None:
    big = Image.effect_noise((200, 150), 90).convert("RGB")
    options = {"exif": b"Exif\0\0" + encoded(SMALL, "JPEG")} if form == "JPEG" else {}
    data = encoded(big, form, **options)
    for length in (len(data) // 2, len(data) - 100, len(data) - 3):
        with pytest.raises(PictureError, match="damaged or ends early"):
            open_picture(data[:length], FETCHED)


def test_a_damaged_png() -> None:
    """Told before an engine gets it; what follows the pixels may be wrong."""
    data = bytearray(encoded(SMALL))
    data[data.index(b"IDAT") + 10] ^= 1
    with pytest.raises(PictureError, match="damaged or ends early"):
        open_picture(bytes(data), INLINE)
    text = bytearray(chunk(b"tEXt", b"k\0text"))
    text[-1] ^= 1
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
    assert open_picture(png(1, 1, pixels, bytes(text)), INLINE).width == 1


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [
        (0, 10, "cannot be read|each side must have between 1 and 32768"),
        (10, 0, "cannot be read|each side must have between 1 and 32768"),
        (100_000, 1, "100000x1 pixels; each side must have between 1 and 32768"),
        (1, 100_000, "1x100000 pixels; each side"),
        (2**31 - 1, 2**31 - 1, "each side must have between"),
        (32_768, 32_768, "32768x32768 pixels; it may have 67108864 in all"),
        (10_000, 10_000, "10000x10000 pixels; it may have 67108864"),
    ],
)
def test_sizes_are_judged_before_anything_is_decoded(width: int, height: int, reason: str) -> None:
    started = time.monotonic()
    with pytest.raises(PictureError, match=reason):
        open_picture(png(width, height), INLINE)
    assert time.monotonic() - started < allowed(0.5)


@pytest.mark.parametrize("name", [b"iCCP", b"zTXt", b"iTXt"])
def test_a_bomb_in_what_surrounds_the_pixels(name: bytes) -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    body = {
        b"iCCP": b"p\0\0" + bomb,
        b"zTXt": b"k\0\0" + bomb,
        b"iTXt": b"k\0\1\0\0\0" + bomb,
    }[name]
    data = png(1, 1, chunk(name, body), chunk(b"IDAT", zlib.compress(b"\0\0\0\0")))
    tracemalloc.start()
    with suppress(PictureError):
        open_picture(data, INLINE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize(
    "data",
    [
        png(1, 1, chunk(b"aaAa", b"") * 800_000),
        b"\xff\xd8" + b"\xff\xe1\0\x02" * 2_500_000,
        b"\xff\xd8\xff\xe1\0\x02" + b"x" * 10_000_000,
        b"\xff\xd8" + b"\xff" * 10_000_000,
        b"\xff\xd8" + b"\xff\x01" * 5_000_000,
    ],
    ids=["chunks", "segments", "between", "fill", "markers"],
)
def test_a_million_empty_pieces_take_no_time(data: bytes) -> None:
    started = time.process_time()
    with pytest.raises(PictureError, match="damaged or ends early"):
        open_picture(data, INLINE)
    assert time.process_time() - started < 0.3


@given(st.sampled_from(FORMS), st.data())
def test_damaged_headers_are_opened_or_refused(form: str, data: st.DataObject) -> None:
    file = bytearray(encoded(SMALL, form))
    for _ in range(data.draw(st.integers(1, 8))):
        file[data.draw(st.integers(0, min(len(file), 200) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = open_picture(bytes(file), FETCHED)
    except PictureError:
        return
    assert 1 <= picture.width <= 32_768
    assert 1 <= picture.height <= 32_768


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF\0\0\0\0WEBP"]))
def test_a_mark_alone_is_no_picture(mark: bytes) -> None:
    for rest in (b"", b"\0" * 100, b"\xff" * 100, bytes(range(256))):
        with pytest.raises(PictureError):
            open_picture(mark + rest, FETCHED)


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
