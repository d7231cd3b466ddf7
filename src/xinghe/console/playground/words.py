"""What the page's scripts say, in the language of the page: they find it in a template of it."""

from __future__ import annotations

from collections.abc import Callable

_WORDS = {
    "you": ("你", "You"),
    "thought": ("思考过程", "Thinking"),
    "thinking": ("思考中…", "Thinking…"),
    "waiting": ("等待回答…", "Waiting for the answer…"),
    "answering": ("正在回答", "Answering"),
    "done": ("回答完成", "The answer is complete"),
    "stopped": (
        "已停止。停下之前生成的部分照常计费。",
        "Stopped. What was made until then is charged as usual.",
    ),
    "broken": (
        "连接断了，回答没有完成。已经生成的部分照常计费。",
        "The connection broke before the answer was complete. What was made is charged as usual.",
    ),
    "unreachable": (
        "连不上服务，请检查网络后再试。",
        "The service cannot be reached. Check the network and try again.",
    ),
    "failed": (
        "回答没有完成：中途出错了。已经给出的部分可能会计费。",
        "The answer is not complete: something failed on the way. What was shown of it may cost.",
    ),
    "silent": ("模型没有给出文字。", "The model gave no text."),
    "length": (
        "回答到了长度上限，被截断了。",
        "The answer reached its length limit and was cut off.",
    ),
    "filtered": ("回答没有通过内容审核。", "The answer did not pass the content check."),
    "again": ("大约 {seconds} 秒后可以再试。", "You may try again in about {seconds} s."),
    "retry": ("重试", "Retry"),
    "edit": ("修改", "Edit"),
    "sources": ("来源", "Sources"),
    "empty": ("先输入一个问题。", "Type a question first."),
    "rest": (
        "后面的内容太大，按原文显示。",
        "What follows is too large: it is shown as it stands.",
    ),
    "picture": ("图片：", "Picture: "),
    "table": ("表格", "Table"),
    "code": ("代码", "Code"),
    "copy": ("复制", "Copy"),
    "copied": ("已复制", "Copied"),
    "request": ("请求编号", "Request id"),
    "tokens": ("输入 {in} / 输出 {out} Token", "{in} in / {out} out tokens"),
    "first": ("首字 {seconds} s", "first token {seconds} s"),
    "speed": ("{speed} Token/s", "{speed} tokens/s"),
    "calls": (
        "模型要调用工具。填写结果，再发送。",
        "The model calls tools. Fill in their results and send them.",
    ),
    "called": ("调用", "Calls"),
    "arguments": ("参数", "Arguments"),
    "result": ("结果", "Result"),
    "send-results": ("发送结果", "Send the results"),
    "checking": ("检查中…", "Checking…"),
    "unchecked": ("没能检查：", "It could not be checked:"),
    "refused": ("会被拒绝：", "It would be refused:"),
    "refused-at": (
        "不能保证：{place} 的 {keyword}。",
        "It cannot be guaranteed: {keyword} at {place}.",
    ),
    "schema-fine": (
        "可以保证：回答一定符合这个 schema。",
        "It is guaranteed: every answer keeps to this schema.",
    ),
    "tools-fine": ("{count} 个工具，都可以用。", "All can be used ({count})."),
    "no-json": ("不是 JSON。", "This is no JSON."),
    "no-json-at": (
        "不是 JSON：第 {line} 行第 {column} 列有错。",
        "This is no JSON: line {line}, column {column}.",
    ),
    "no-list": ("要一个 JSON 列表：[ … ]", "It has to be a JSON list: [ … ]"),
    "no-object": ("要一个 JSON 对象：{ … }", "It has to be a JSON object: { … }"),
    "too-deep": ("嵌套太深。", "It is nested too deeply."),
    "too-large": ("太大了。", "It is too large."),
    "remove": ("移除 {name}", "Remove {name}"),
    "no-pictures": ("所选的模型不看图片。", "The chosen model takes no pictures."),
    "no-picture": ("不是 PNG、JPEG 或 BMP 图片。", "This is no PNG, JPEG or BMP picture."),
    "large-picture": ("超过 {size} MB。", "It is larger than {size} MB."),
    "many-pictures": (
        "一次对话至多 {count} 张图片。",
        "A conversation has {count} pictures at most.",
    ),
    "default": ("默认", "Default"),
    "none": ("默认：无", "Default: none"),
    "ignored": ("{model} 会忽略：{names}", "{model} ignores: {names}"),
    "passed-over": ("忽略了 {names}", "ignored {names}"),
    "rename": ("改名", "Rename"),
    "rename-it": ("改名：{title}", "Rename: {title}"),
    "title": ("名字", "Name"),
    "save": ("保存", "Save"),
    "delete": ("删除", "Delete"),
    "delete-it": ("删除：{title}", "Delete: {title}"),
    "delete-sure": ("删除“{title}”？不能恢复。", "Delete “{title}”? It cannot be undone."),
    "delete-all-sure": (
        "删除这个浏览器里你的全部对话？不能恢复。",
        "Delete all your conversations in this browser? It cannot be undone.",
    ),
    "sign-in": ("重新登录", "Sign in again"),
    "full": (
        "浏览器里放不下了：这次的对话没有保存。可以在“对话记录”里删除一些。",
        "There is no room left in this browser, and this conversation is not kept. Delete some of "
        "those that are.",
    ),
    "unkept": (
        "这个浏览器不让页面保存东西：关掉页面，对话就没有了。",
        "This browser keeps nothing for pages: the conversation is gone once the page is closed.",
    ),
}


def words(text: Callable[[str, str], str]) -> dict[str, str]:
    """In the one language that `text` chooses."""
    return {name: text(*said) for name, said in _WORDS.items()}
