"""A page counts as one request of its member, whatever it is made of."""

from __future__ import annotations

from pathlib import Path

from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import Server, free_port
from tests.kit.visitor import Visitor

from xinghe.console import advice


def test_pages_count_once_and_are_refused_in_words(tmp_path: Path) -> None:
    models = models_toml("http://127.0.0.1:9", free_port(), ALL_SCRIPTED)
    models = models.replace("rpm = 0", "rpm = 12", 1)
    with Server(tmp_path, models=models) as server:
        visitor = Visitor(server.url)
        visitor.sign_in(server.token("--scope", "account.read", "--scope", "admin"))
        assert "还没有设放备份的文件夹" in visitor.get("/console/backups").text
        seen = [visitor.get("/console/").status for _ in range(14)]
        assert seen.count(200) >= 10  # the sign-in has shown it once
        assert seen[-1] == 429
        page = visitor.get("/console/")
        assert page.texts("main p")[0].startswith(advice.of("rpm_rate_limit_exceeded")[0])
        looks = [visitor.get("/console/live", {"HX-Request": "true"}).status for _ in range(20)]
        assert set(looks) == {200}, "what renews itself asks for nothing"
