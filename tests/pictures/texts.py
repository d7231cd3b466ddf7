"""Ten pictures as people send them: what is written, and how it looks."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Sheet:
    """Lines of text on a ground; `form` is how the picture is stored."""

    lines: tuple[str, ...]
    size: tuple[int, int]
    ground: Colour
    ink: Colour
    letter: int
    form: str


WHITE, BLACK, RED, YELLOW = (255, 255, 255), (20, 20, 20), (200, 30, 30), (250, 210, 40)
GREEN, BLUE, NIGHT, PAPER = (20, 130, 60), (25, 80, 190), (25, 28, 40), (245, 238, 220)

SHEETS = (
    Sheet(("禁止吸烟",), (480, 240), WHITE, RED, 72, "PNG"),
    Sheet(("星河大学图书馆", "开放时间:早八点至晚十点"), (800, 300), PAPER, BLACK, 44, "JPEG"),
    Sheet(("出口 EXIT",), (400, 200), GREEN, WHITE, 64, "PNG"),
    Sheet(
        ("会议通知", "时间:周三下午三点", "地点:三楼会议室"), (720, 360), WHITE, BLACK, 40, "BMP"
    ),
    Sheet(("今日特价", "苹果每斤五元"), (640, 320), YELLOW, RED, 60, "JPEG"),
    Sheet(("欢迎来到北京",), (600, 240), BLUE, WHITE, 64, "PNG"),
    Sheet(("Hello World", "你好,世界"), (560, 300), NIGHT, YELLOW, 56, "PNG"),
    Sheet(("小心地滑",), (420, 420), YELLOW, BLACK, 80, "WEBP"),
    Sheet(("第三章 机器学习", "监督学习与无监督学习"), (900, 400), WHITE, BLUE, 48, "JPEG"),
    Sheet(
        ("春眠不觉晓", "处处闻啼鸟", "夜来风雨声", "花落知多少"),
        (520, 460),
        PAPER,
        BLACK,
        52,
        "PNG",
    ),
)
