"""Our signatures are those of the examples in the S3 documentation of Signature Version 4."""

from __future__ import annotations

from datetime import UTC, datetime

from xinghe.images.bucket import Credentials, signed

EXAMPLE = Credentials(
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"
)
AT = datetime(2013, 5, 24, tzinfo=UTC)
HOST = "examplebucket.s3.amazonaws.com"


def signature(headers: dict[str, str]) -> str:
    return headers["authorization"].rsplit("Signature=", 1)[1]


def test_get_object() -> None:
    headers = signed(EXAMPLE, "GET", HOST, "/test.txt", {}, b"", AT, {"range": "bytes=0-9"})
    expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    assert signature(headers) == expected


def test_put_object() -> None:
    sent = {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
    body = b"Welcome to Amazon S3."
    headers = signed(EXAMPLE, "PUT", HOST, "/test$file.text", {}, body, AT, sent)
    expected = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    assert signature(headers) == expected


def test_list_objects() -> None:
    query = {"prefix": "J", "max-keys": "2"}
    headers = signed(EXAMPLE, "GET", HOST, "/", query, b"", AT)
    expected = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    assert signature(headers) == expected
