"""`POST /v1/moderations`: what the service's own moderation says of texts, at nobody's cost."""

import msgspec

from xinghe.api.exchange import Exchange
from xinghe.api.models import NO_MODEL
from xinghe.api.moderations.schema import MODEL, MODERATIONS, Moderation, read_texts, result
from xinghe.api.priced import Services, admit, unless_gone
from xinghe.api.validation import parse_body, tell_ignored


class ModerationsRoute(msgspec.Struct):
    """Reads texts, and sends the findings; it counts in the limits of requests as `/models` does.

    Nothing of it stands in the log or the metrics: nobody was stopped.
    """

    services: Services

    async def __call__(self, exchange: Exchange) -> None:
        services = self.services
        limits = services.live.now.catalog.limits
        await admit(services, exchange, NO_MODEL, rpm=limits.rpm, tpm=limits.tpm, tokens=0)
        parsed = await parse_body(MODERATIONS, exchange, services.settings.server)
        texts = read_texts(parsed.checked({}))
        if parsed.ignored:
            tell_ignored(exchange, MODERATIONS, parsed.ignored)
        asked = services.moderator.review([(text, "conversation") for text in texts])
        verdicts = await unless_gone(exchange, asked)
        await exchange.send_json(
            Moderation(exchange.request_id, MODEL, [result(each) for each in verdicts])
        )
