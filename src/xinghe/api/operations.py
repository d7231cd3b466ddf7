"""The one table of operations: the edge, the 404's hint and `/openapi.json` read it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from xinghe.api.account.bill.schema import BillShown
from xinghe.api.account.questions import (
    AccountQuery,
    BillingQuery,
    BillQuery,
    EntriesQuery,
    FailedQuery,
    RequestQuery,
    UsageQuery,
)
from xinghe.api.account.schema import (
    AccountShown,
    BillingUsage,
    EntryList,
    FailedList,
    RequestShown,
    Subscription,
    UsageList,
)
from xinghe.api.chat.check import ChatCheck
from xinghe.api.chat.response import ChatCompletion, ChatCompletionChunk
from xinghe.api.chat.schema import CHAT
from xinghe.api.completions.schema import COMPLETION_ERRORS, COMPLETIONS, TextCompletion
from xinghe.api.dialect import Dialect
from xinghe.api.embeddings.schema import EMBEDDINGS, EmbeddingList
from xinghe.api.error_form import OPENAI_ERRORS, ErrorForm
from xinghe.api.images.openai import IMAGES
from xinghe.api.images.schema import ImagesAnswer
from xinghe.api.messages.errors import MESSAGE_ERRORS
from xinghe.api.messages.response import AnsweredMessage, CountedTokens, MessageStreamEvent
from xinghe.api.messages.schema import COUNT, MESSAGES
from xinghe.api.models import Model, ModelList
from xinghe.api.moderations.schema import MODERATIONS, Moderation
from xinghe.api.rerank import RERANK, Ranking
from xinghe.api.responses.answer import Deleted, InputItemList, Response, ResponseEvent
from xinghe.api.responses.errors import RESPONSES_ERRORS
from xinghe.api.responses.input_items import InputItemsQuery
from xinghe.api.responses.schema import RESPONSES
from xinghe.api.tokenize.schema import TOKENIZE, Tokenized
from xinghe.api.validation import Form

CALL = ("model.call",)
READ = ("account.read",)


class Operation(msgspec.Struct, frozen=True):
    """What is served at a path of every mount, or of the mounts of its `dialects` alone.

    `name` stands in logs and metrics; of `scopes` a token needs one for it. `forms` are the
    bodies that it takes, by dialect; a GET has none. `event` is what a stream of it consists of,
    and `done` tells whether that ends with `[DONE]`.
    What is `free` takes a body and costs nothing. `{id}` may stand in a path, as one step of it.
    `query` is what may stand behind the question mark; what is `tabular` may be had as CSV and JSON
    Lines as well.
    """

    name: str
    method: str
    path: str
    summary: str
    answer: type
    forms: Mapping[Dialect, Form[Any]] = {}
    event: type | None = None
    done: bool = True
    scopes: tuple[str, ...] = CALL
    query: type[msgspec.Struct] | None = None
    tabular: bool = False
    free: bool = False
    dialects: tuple[Dialect, ...] = tuple(Dialect)
    errors: ErrorForm = OPENAI_ERRORS


OPERATIONS = (
    Operation("models", "GET", "/models", "List the models.", ModelList, scopes=CALL + READ),
    Operation("model", "GET", "/models/{id}", "One model.", Model, scopes=CALL + READ),
    Operation(
        "chat", "POST", "/chat/completions", "Answer a conversation.",
        ChatCompletion, CHAT, ChatCompletionChunk,
    ),
    Operation(
        "chat_check", "POST", "/chat/completions/check", "Whether a chat would be taken.",
        ChatCheck, CHAT, free=True,
    ),
    Operation(
        "completions", "POST", "/completions", "Answer a text, in OpenAI's older form.",
        TextCompletion, {Dialect.OPENAI: COMPLETIONS}, TextCompletion,
        dialects=(Dialect.OPENAI,), errors=COMPLETION_ERRORS,
    ),
    Operation(
        "moderations", "POST", "/moderations", "What moderation finds in texts.",
        Moderation, {Dialect.OPENAI: MODERATIONS}, free=True, dialects=(Dialect.OPENAI,),
    ),
    Operation(
        "tokenize", "POST", "/tokenize", "The tokens of a text or a conversation.",
        Tokenized, {Dialect.OPENAI: TOKENIZE}, free=True, dialects=(Dialect.OPENAI,),
    ),
    Operation(
        "responses", "POST", "/responses", "Answer a conversation, item by item.",
        Response, {Dialect.OPENAI: RESPONSES}, ResponseEvent, done=False,
        dialects=(Dialect.OPENAI,), errors=RESPONSES_ERRORS,
    ),
    Operation(
        "response", "GET", "/responses/{id}", "A response that was kept.",
        Response, dialects=(Dialect.OPENAI,), errors=RESPONSES_ERRORS,
    ),
    Operation(
        "delete_response", "DELETE", "/responses/{id}", "Keep a response no more.",
        Deleted, dialects=(Dialect.OPENAI,), errors=RESPONSES_ERRORS,
    ),
    Operation(
        "input_items", "GET", "/responses/{id}/input_items", "What a kept response was asked.",
        InputItemList, dialects=(Dialect.OPENAI,), errors=RESPONSES_ERRORS, query=InputItemsQuery,
    ),
    Operation(
        "cancel_response", "POST", "/responses/{id}/cancel", "End a stream that is being made.",
        Response, dialects=(Dialect.OPENAI,), errors=RESPONSES_ERRORS,
    ),
    Operation(
        "messages", "POST", "/messages", "Answer a conversation, in Anthropic's form.",
        AnsweredMessage, {Dialect.OPENAI: MESSAGES}, MessageStreamEvent, done=False,
        dialects=(Dialect.OPENAI,), errors=MESSAGE_ERRORS,
    ),
    Operation(
        "count_tokens", "POST", "/messages/count_tokens", "How many tokens a message's prompt has.",
        CountedTokens, {Dialect.OPENAI: COUNT}, free=True,
        dialects=(Dialect.OPENAI,), errors=MESSAGE_ERRORS,
    ),
    Operation(
        "embeddings", "POST", "/embeddings", "Make vectors of texts.",
        EmbeddingList, EMBEDDINGS,
    ),
    Operation(
        "rerank", "POST", "/rerank", "Order documents by a query.",
        Ranking, RERANK,
    ),
    Operation(
        "images", "POST", "/images/generations", "Make images from a prompt.",
        ImagesAnswer, IMAGES,
    ),
    Operation(
        "account", "GET", "/account", "What is left: wallets, lots, budgets.",
        AccountShown, scopes=READ, query=AccountQuery, tabular=True,
    ),
    Operation(
        "entries", "GET", "/account/entries", "The entries of the books, the newest first.",
        EntryList, scopes=READ, query=EntriesQuery, tabular=True,
    ),
    Operation(
        "usage", "GET", "/account/usage", "Usage over time.",
        UsageList, scopes=READ, query=UsageQuery, tabular=True,
    ),
    Operation(
        "requests", "GET", "/account/requests", "The latest requests that failed.",
        FailedList, scopes=READ, query=FailedQuery, tabular=True,
    ),
    Operation(
        "request", "GET", "/account/requests/{id}", "What a request cost, and why.",
        RequestShown, scopes=READ, query=RequestQuery, tabular=True,
    ),
    Operation(
        "bill", "GET", "/account/bill", "The bill of a month.",
        BillShown, scopes=READ, query=BillQuery, tabular=True,
    ),
    Operation(
        "subscription", "GET", "/dashboard/billing/subscription", "What could be spent in all.",
        Subscription, scopes=READ,
    ),
    Operation(
        "billing_usage", "GET", "/dashboard/billing/usage", "What was spent.",
        BillingUsage, scopes=READ, query=BillingQuery,
    ),
)  # fmt: skip
