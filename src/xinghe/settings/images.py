"""The section `images`: how long one may take, and where they are kept."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from xinghe.settings.urls import is_web_url


class Images(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Images that are made: how long one may take, and where those behind a URL are kept."""

    request_timeout: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    """Seconds that one try may take where the request does not say (section 4.2.2)."""
    keep: Annotated[float, Meta(ge=1, le=3650 * 86400)] = 604800.0
    """Seconds that a URL serves its image."""
    folder: str = ""
    """A folder that is there, by its whole path, which several gateways may share; empty:
    `<data>/images`."""
    s3_endpoint: str = ""
    """The URL of an S3-compatible service; empty: images are kept in a folder."""
    s3_bucket: str = ""
    s3_region: str = "us-east-1"
    s3_prefix: str = "images/"
    """What the names of the bucket's objects begin with."""
    s3_key: str = ""
    s3_key_env: str = ""
    """The access key's id, or the variable that holds it."""
    s3_secret: str = ""
    s3_secret_env: str = ""
    """The secret access key, or the variable that holds it."""

    @property
    def shared(self) -> bool:
        """Whether other gateways can find what this one keeps."""
        return bool(self.folder or self.s3_endpoint)

    def __post_init__(self) -> None:
        if self.folder and not Path(self.folder).expanduser().is_absolute():
            raise ValueError(
                f"`folder` is {self.folder!r}, allowed: a whole path such as /srv/images"
            )
        if not self.s3_endpoint:
            return
        if self.folder:
            raise ValueError("`folder` and `s3_endpoint` are set, allowed: one of them")
        if not is_web_url(self.s3_endpoint):
            raise ValueError("`s3_endpoint` is wrong, allowed: an http:// or https:// URL")
        for name in ("s3_bucket", "s3_key", "s3_secret"):
            if not (getattr(self, name) or getattr(self, f"{name}_env", "")):
                raise ValueError(f"`s3_endpoint` is set, which needs `{name}`")
