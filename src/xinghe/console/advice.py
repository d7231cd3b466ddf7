"""What each error code means, and what to do about it, in both languages."""

from __future__ import annotations

from collections.abc import Callable

UNKNOWN = (
    "这个错误码没有说明；请把请求编号告诉管理员。",
    "Nothing is known of this error code. Tell the operator the request id.",
)

_ADVICE: dict[str, tuple[str, str]] = {
    "malformed_json": (
        "请求体不是 JSON，或某个字段的类型或范围不对。按返回的错误信息里的字段名修改后再发。",
        "The body is not JSON, or a field has a wrong type or range. Mend the field that the "
        "error's message names.",
    ),
    "invalid_model": (
        "没有给出 model，或这个访问令牌不能用这个模型。在“模型”页看可用的模型，"
        "或在“访问令牌”页放开令牌的模型限制。",
        "No model was given, or this access token may not use it. See the page Models for those "
        "that you may use, or allow the model on the page Access tokens.",
    ),
    "invalid_messages": (
        "消息不合规则，例如顺序不对或内容为空。错误信息里写了第几条和哪条规则。",
        "The messages break a rule, such as their order, or an empty one. The error's message "
        "names the message and the rule.",
    ),
    "characters_too_long": (
        "字符太多，超过错误信息里写的上限。缩短内容，或换一个上下文更长的模型。",
        "There are too many characters, more than the error's message allows. Shorten the text, or "
        "use a model with a longer context.",
    ),
    "tokens_too_long": (
        "提示的 Token 超过模型能容纳的长度。删去较早的对话，或换一个上下文更长的模型。",
        "The prompt has more tokens than the model holds. Leave out older messages, or use a "
        "model with a longer context.",
    ),
    "invalid_user_id": (
        "user 或 user_id 是空的。给它一个值，或不要发送。",
        "user or user_id is empty. Give it a value, or leave it out.",
    ),
    "idempotency_key_reused": (
        "同一个 Idempotency-Key 配了不同的请求体。每个新请求用新的键。",
        "One Idempotency-Key came with another body. Use a new key for each new request.",
    ),
    "conflict": (
        "名字已被占用，或有别的情况妨碍修改。看错误信息，换一个名字或先解除占用。",
        "The name is taken, or something else is in the way of the change. Read the error's "
        "message and choose another name.",
    ),
    "no_parameter_permission": (
        "模型没有请求要的能力，或访问令牌没有这个操作的权限。换一个模型，或换一个权限够的令牌。",
        "The model lacks what the request asks for, or the access token lacks the permission. Use "
        "another model, or a token with the permission.",
    ),
    "invalid_appid": (
        "appid 头不属于这个访问令牌的成员。改正它，或不要发送。",
        "The header appid is not that of the token's member. Correct it, or leave it out.",
    ),
    "invalid_iam_token": (
        "访问令牌未知、已吊销或已过期。在“访问令牌”页创建一个新的。",
        "The access token is unknown, revoked or expired. Make a new one on the page Access "
        "tokens.",
    ),
    "invalid_signature": (
        "收款服务发来的事件签名不对，或时间差了五分钟以上。核对双方的密钥和时钟。",
        "An event of a payment provider is not signed with its key, or is more than five minutes "
        "off. Compare the keys and the clocks of both sides.",
    ),
    "system_unsafe": (
        "系统提示没有通过内容审核。修改系统提示。",
        "The system prompt did not pass the content check. Change it.",
    ),
    "user_setting_unsafe": (
        "请求的内容没有通过内容审核。修改内容后再发。",
        "What was asked did not pass the content check. Change it and send it again.",
    ),
    "functions_unsafe": (
        "函数的名字或说明没有通过内容审核。修改它们。",
        "A function's name or description did not pass the content check. Change it.",
    ),
    "token_quota_exceeded": (
        "余额或预算不够这次请求的上限。调小 max_completion_tokens，等预算刷新，或请管理员充值。",
        "The balance or a budget does not cover the most that the request may cost. Lower "
        "max_completion_tokens, wait for the budget, or ask the operator for Tokens.",
    ),
    "unsupported_parameter": (
        "提供这个模型的部署做不到所要的。去掉消息里指出的参数，或换一个模型（“模型”页写着各自能做什么）。",
        "What serves the model cannot do what was asked. Leave out the parameter that the message "
        "names, or take another model (the page Models tells what each can do).",
    ),
    "not_permitted": (
        "你没有做这件事的权限。请组的管理者或管理员来做。",
        "You may not do this. Ask a manager of the group, or the operator.",
    ),
    "no_such_model": (
        "没有这个模型。检查拼写；“模型”页列出了全部模型。",
        "There is no such model. Check its spelling; the page Models lists all of them.",
    ),
    "no_such_path": (
        "没有这个路径。检查 base_url；“接口文档”页列出了全部路径。",
        "There is no such path. Check base_url; the API reference lists all paths.",
    ),
    "no_such_object": (
        "没有这样东西，或你看不到它。检查编号。",
        "There is no such thing, or it is not for you to see. Check its id.",
    ),
    "method_not_supported": (
        "HTTP 方法不对。按接口文档改用正确的方法。",
        "The HTTP method is wrong. Use the one of the API reference.",
    ),
    "request_timeout": (
        "请求没有按时到齐（请求头 10 秒，请求体 30 秒）。检查网络后再试。",
        "The request did not arrive in time (headers 10 s, body 30 s). Check the network and try "
        "again.",
    ),
    "changed_meanwhile": (
        "读取之后有人改过。重新读取，再改一次。",
        "Somebody has changed it since it was read. Read it again, then change it.",
    ),
    "request_too_large": (
        "请求体或请求头太大。缩小图片，或把内容分成几次发送。",
        "The body or the headers are too large. Make pictures smaller, or send less at once.",
    ),
    "rpm_rate_limit_exceeded": (
        "每分钟的请求太多。按 Retry-After 等待后重试，并放慢发送。",
        "Too many requests in a minute. Wait as Retry-After says, and send more slowly.",
    ),
    "tpm_rate_limit_exceeded": (
        "每分钟的 Token 太多。按 Retry-After 等待后重试，缩短提示或调小 max_completion_tokens。",
        "Too many tokens in a minute. Wait as Retry-After says; shorten prompts or lower "
        "max_completion_tokens.",
    ),
    "preemptible_rate_limit_exceeded": (
        "请求让位给了更优先的请求。稍后重试。",
        "The request gave way to one of a higher priority. Try again in a while.",
    ),
    "user_rate_limit_exceeded": (
        "同时或每秒的请求太多，或按次数的预算用完了。按 Retry-After 等待，减少并发。",
        "Too many requests at once or in a second, or a budget of requests is used up. Wait as "
        "Retry-After says, and send fewer at once.",
    ),
    "cluster_rate_limit_exceeded": (
        "服务正忙。按 Retry-After 等待后重试。",
        "The service is busy. Wait as Retry-After says, then try again.",
    ),
    "internal_error": (
        "这是服务的错，没有扣费。可以重试；若再发生，把请求编号告诉管理员。",
        "It was the service's fault, and cost nothing. Try again; if it stays, tell the operator "
        "the request id.",
    ),
    "dispatch_internal_error": (
        "没有引擎能回答，没有扣费。稍后重试；若再发生，把请求编号告诉管理员。",
        "No engine could answer, and nothing was charged. Try again in a while; if it stays, tell "
        "the operator the request id.",
    ),
    "service_unavailable": (
        "模型的部署现在都够不着，没有扣费。按 Retry-After 等待后重试；"
        "若再发生，把请求编号告诉管理员。",
        "None of the model's deployments can be reached now, and nothing was charged. Wait as "
        "Retry-After says, then try again; if it stays, tell the operator the request id.",
    ),
    "client_gone": (
        "客户端在回答之前断开了。检查客户端的超时设置，或用流式回答。",
        "The client went away before it was answered. Check the client's timeout, or stream the "
        "answer.",
    ),
}


def of(code: str) -> tuple[str, str]:
    """What an error code means and what to do: in Chinese, and in English."""
    return _ADVICE.get(code, UNKNOWN)


def all_of(text: Callable[[str, str], str]) -> dict[str, str]:
    """By code, in the one language that `text` chooses."""
    return {code: text(*told) for code, told in _ADVICE.items()}
