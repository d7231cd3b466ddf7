"""What the doctor's checks are called, and what their findings mean, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

Text = tuple[str, str]

TITLES: Mapping[str, Text] = {
    "deployments": ("部署", "Deployments"),
    "keys": ("上游的密钥", "Keys of upstreams"),
    "journal": ("结算日志", "Journal of charges"),
    "threads": ("计算线程", "Compute threads"),
    "backups": ("备份", "Backups"),
    "python": ("Python", "Python"),
    "libgomp": ("系统库 libgomp", "System library libgomp"),
    "cpu": ("处理器", "Processor"),
    "memory": ("内存", "Memory"),
    "data": ("数据目录", "Data directory"),
    "cache": ("模型文件目录", "Folder of model files"),
    "disk": ("磁盘空间", "Disk space"),
    "proxy": ("代理", "Proxy"),
    "engine": ("内置引擎", "Embedded engine"),
    "weights": ("模型文件", "Model file"),
    "database": ("数据库", "Database"),
    "config": ("配置", "Configuration"),
    "options": ("设置", "Settings"),
    "doctor": ("体检程序", "The doctor itself"),
}
MEANINGS: Mapping[tuple[str, str], Text] = {
    ("deployments", "warn"): (
        "有的部署现在不能回答，用它们的模型会报错或改走后备。启动它的服务器，或者换一个来源。",
        "Some deployments cannot answer now: their models fail, or fall back. Start the server, or "
        "name another source.",
    ),
    ("deployments", "fail"): (
        "没有一个部署能回答，所有模型都不可用。启动它们的服务器，或者换来源。",
        "No deployment can answer: no model works. Start the servers, or name other sources.",
    ),
    ("keys", "warn"): (
        "上游拒绝了我们的密钥，或者账户里没有钱了。换一个有效的密钥，或者去充值。",
        "An upstream refuses our key, or its account is empty. Put another key, or money, there.",
    ),
    ("journal", "fail"): (
        "数据库写不进去。用掉的 Token 先记在结算日志里，新的请求会报错。照下面说的原因处理，"
        "数据库恢复后服务自己继续。",
        "The database takes no writes. What was spent is kept in the journal; new requests fail. "
        "Mend what it says; the service goes on by itself then.",
    ),
    ("backups", "warn"): (
        "备份太旧、没有，或者没有设放备份的文件夹。数据库坏了就只能回到上一份备份。",
        "Backups are old or missing, or no folder is set for them. A database that is lost goes "
        "back to its last backup.",
    ),
    ("backups", "fail"): ("放备份的文件夹读不了。", "The folder of backups cannot be read."),
    ("python", "fail"): ("Python 太旧。", "Python is too old."),
    ("libgomp", "fail"): (
        "缺少内置引擎计算时用的系统库。",
        "A system library is missing that the embedded engine computes with.",
    ),
    ("cpu", "fail"): (
        "处理器没有 AVX2，内置引擎跑不了。请改用模型服务器。",
        "The processor has no AVX2, which the embedded engine needs. Use a model server.",
    ),
    ("memory", "warn"): (
        "内存偏小，模型会变慢，也可能被系统结束。",
        "Memory is short: the model is slow, or is killed by the system.",
    ),
    ("data", "fail"): ("数据目录写不进去。", "The data directory cannot be written."),
    ("cache", "fail"): ("模型文件目录写不进去。", "The folder of model files cannot be written."),
    ("disk", "fail"): (
        "磁盘快满了，账目和备份都会写不进去。",
        "The disk is almost full: neither books nor backups can be written soon.",
    ),
    ("proxy", "warn"): (
        "设了代理，本机的程序访问本服务时会被代理接走。",
        "A proxy is set, and takes what programs of this machine ask of this service.",
    ),
    ("engine", "fail"): (
        "内置引擎的库加载不了。",
        "The library of the embedded engine cannot be loaded.",
    ),
    ("weights", "warn"): ("模型文件还没有下载。", "The model file is not here yet."),
    ("weights", "fail"): (
        "模型文件残缺，或者不是 GGUF 文件。",
        "The model file is not whole, or no GGUF file.",
    ),
    ("database", "warn"): ("数据库没有检查成。", "The database was not examined."),
    ("database", "fail"): (
        "数据库损坏，或者连不上、写不了。",
        "The database is damaged, away, or takes no writes.",
    ),
    ("config", "warn"): (
        "改过的文件没有全部生效，或者某个网关没有跟上。",
        "Not all of the edited files is applied, or a gateway does not follow.",
    ),
    ("options", "fail"): ("设置里有读不懂的值。", "A setting cannot be understood."),
    ("doctor", "warn"): (
        "体检没有做完，机器这一部分不知道怎么样。",
        "The examination was not finished: of the machine nothing is known.",
    ),
}
PAGES: Mapping[str, tuple[str, Text]] = {
    "deployments": ("/console/live#deployments", ("看实时状态", "See the live view")),
    "keys": ("/console/config", ("打开配置", "Open the configuration")),
    "backups": ("/console/backups", ("打开备份", "Open backups")),
    "config": ("/console/config", ("打开配置", "Open the configuration")),
}
"""Where more is known, or something can be done."""


def title(name: str) -> Text:
    return TITLES.get(name, (name, name))


def meaning(name: str, status: str) -> Text:
    return MEANINGS.get((name, status), ("", ""))
