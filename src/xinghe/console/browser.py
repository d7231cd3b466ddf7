"""What a browser keeps for us, in cookies: its session, its secret, how its person wants pages."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from starlette.responses import Response

Language: TypeAlias = Literal["zh", "en"]
Theme: TypeAlias = Literal["", "light", "dark"]
"""Empty: as the system has it."""
LANGUAGES: Mapping[str, Language] = {"zh": "zh", "en": "en"}
THEMES: Mapping[str, Theme] = {"": "", "light": "light", "dark": "dark"}

YEAR = 31_536_000
_SECRET = re.compile(r"[A-Za-z0-9_-]{22}")
_SESSION = re.compile(r"xhs-[A-Za-z0-9]{43}")


class Browser:
    """The cookies of a request. `secure`: browsers come by https, and no cookie goes otherwise."""

    def __init__(
        self, cookies: Mapping[str, str], accept_language: str, zone: str, *, secure: bool
    ) -> None:
        self.secure = secure
        self._prefix = "__Host-xinghe-" if secure else "xinghe-"
        self._set: list[tuple[str, str, int | None]] = []
        session = cookies.get(f"{self._prefix}session", "")
        self.session = session if _SESSION.fullmatch(session) else ""
        secret = cookies.get(f"{self._prefix}secret", "")
        self.secret = secret if _SECRET.fullmatch(secret) else self._new_secret()
        self.language: Language = _language(cookies.get("xinghe-language", ""), accept_language)
        self.theme = THEMES.get(cookies.get("xinghe-theme", ""), "")
        self.zone = _zone(cookies.get("xinghe-zone", ""), zone)

    def sign_in(self, session: str, lasts: int) -> None:
        """Keep a session for that many seconds, and a new secret beside it."""
        self.session = session
        self._set.append((f"{self._prefix}session", session, lasts))
        self.secret = self._new_secret()

    def sign_out(self) -> None:
        self.session = ""
        self._set.append((f"{self._prefix}session", "", 0))

    def prefer(self, *, language: str = "", theme: str | None = None) -> None:
        """Remember a language or a theme; one that is none is left alone."""
        if language in LANGUAGES:
            self._set.append(("xinghe-language", language, YEAR))
        if theme is not None and theme in THEMES:
            self._set.append(("xinghe-theme", theme, YEAR if theme else 0))

    def save(self, response: Response) -> None:
        """Have the browser keep what has changed."""
        for name, value, lasts in self._set:
            response.set_cookie(
                name,
                value,
                max_age=lasts,
                path="/",
                secure=self.secure,
                httponly=True,
                samesite="lax",
            )

    def _new_secret(self) -> str:
        secret = secrets.token_urlsafe(16)
        self._set.append((f"{self._prefix}secret", secret, None))
        return secret


def _language(chosen: str, accepted: str) -> Language:
    """The one that was chosen; else the first of the header that is one of ours; else Chinese."""
    if chosen in LANGUAGES:
        return LANGUAGES[chosen]
    ranked = []
    for place, each in enumerate(accepted.lower().split(",")[:20]):
        tag, _, weight = each.strip().partition(";q=")
        try:
            ranked.append((-float(weight or 1), place, tag.strip()[:2]))
        except ValueError:
            continue
    for _, _, tag in sorted(ranked):
        if tag in LANGUAGES:
            return LANGUAGES[tag]
    return "zh"


def _zone(told: str, otherwise: str) -> str:
    """Where a script has seen the browser to be."""
    if not re.fullmatch(r"[A-Za-z0-9_+/-]{1,64}", told):
        return otherwise
    try:
        ZoneInfo(told)
    except (OSError, ValueError, KeyError):
        return otherwise
    return told
