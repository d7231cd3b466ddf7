"""Small files of the kinds that are indexed, and broken ones."""

from __future__ import annotations

ARTICLE = (
    "<html><head><title>杭州亚运会</title></head><body><nav>首页 登录</nav>"
    + "<article><h1>杭州亚运会</h1>"
    + "<p>第十九届亚洲运动会在杭州举行,中国代表团获得二百零一枚金牌,位列金牌榜第一。</p>" * 6
    + "<script>alert('x')</script></article><footer>版权所有</footer></body></html>"
)


def pdf(text: str) -> bytes:
    """A PDF of one page with a line of ASCII."""
    stream = f"BT /F1 12 Tf 40 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(out)
