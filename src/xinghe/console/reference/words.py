"""How the reference groups the operations, and what it calls each, in both languages."""

from __future__ import annotations

import msgspec

from xinghe.console.reference.told import Told


class Group(msgspec.Struct, frozen=True):
    """Operations that belong together; titles by the operation's name."""

    name: str
    title: Told
    titles: dict[str, Told]


GROUPS = (
    Group(
        "chat",
        Told("对话", "Chat"),
        {
            "chat": Told("对话补全", "Chat completion"),
            "chat_check": Told("检查对话请求", "Check of a chat"),
        },
    ),
    Group(
        "others",
        Told("别家的接口", "Other forms of chat"),
        {
            "responses": Told("OpenAI 的 Responses", "Responses of OpenAI"),
            "response": Told("取回保留的回答", "A kept response"),
            "input_items": Told("保留的回答问了什么", "What a kept response was asked"),
            "delete_response": Told("删除保留的回答", "Delete a kept response"),
            "cancel_response": Told("取消正在生成的回答", "Cancel a response at work"),
            "messages": Told("Anthropic 的 Messages", "Messages of Anthropic"),
            "count_tokens": Told("计算提示的 token", "Count a prompt's tokens"),
            "completions": Told("OpenAI 的旧式补全", "Older completions of OpenAI"),
            "moderations": Told("内容审核", "Moderation"),
            "tokenize": Told("文本的 token", "Tokens of a text"),
        },
    ),
    Group(
        "vectors",
        Told("向量与重排", "Embeddings and rerank"),
        {
            "embeddings": Told("文本向量", "Embeddings"),
            "rerank": Told("文档重排", "Rerank"),
        },
    ),
    Group(
        "images",
        Told("文生图", "Images"),
        {"images": Told("生成图片", "Image generation")},
    ),
    Group(
        "models",
        Told("模型", "Models"),
        {
            "models": Told("模型列表", "List models"),
            "model": Told("查询一个模型", "One model"),
        },
    ),
    Group(
        "account",
        Told("余额与使用明细", "Balance and usage"),
        {
            "account": Told("余额、钱包与预算", "Balance, wallets, budgets"),
            "entries": Told("收支明细", "Entries"),
            "usage": Told("用量统计", "Usage over time"),
            "requests": Told("失败的请求", "Requests that failed"),
            "request": Told("查询一次请求", "One request"),
            "bill": Told("一个月的账单", "The bill of a month"),
            "subscription": Told("总额度（聊天客户端用）", "Total balance (chat clients)"),
            "billing_usage": Told("已用额度（聊天客户端用）", "Used balance (chat clients)"),
        },
    ),
    Group(
        "auth",
        Told("登录", "Sign-in"),
        {
            "auth.ways": Told("可用的登录方式", "Ways in"),
            "auth.password": Told("用密码登录", "Sign in by password"),
            "auth.token": Told("用访问令牌登录", "Sign in by access token"),
            "auth.link_in": Told("用一次性链接登录", "Sign in by one-time link"),
            "auth.join": Told("加入成为成员", "Become a member"),
            "auth.session": Told("查询会话", "Show the session"),
            "auth.sign_out": Told("退出登录", "End the session"),
            "auth.change_password": Told("修改密码", "Change the password"),
            "auth.accept": Told("接受邀请加入另一个组", "Join one more group"),
            "auth.link": Told("绑定统一身份认证", "Link an identity"),
            "auth.oidc_start": Told("前往统一身份认证", "Go to the OpenID provider"),
            "auth.oidc_callback": Told("从统一身份认证返回", "Come back from the provider"),
            "auth.oidc": Told("用统一身份认证登录", "Sign in by OpenID"),
        },
    ),
    Group(
        "members",
        Told("成员", "Members"),
        {
            "members.list": Told("成员列表与搜索", "List or search members"),
            "members.create": Told("新建成员", "Make a member"),
            "members.get": Told("查询成员", "One member"),
            "members.change": Told("修改、停用成员", "Change a member"),
            "members.delete": Told("删除成员", "Delete a member"),
            "paying_wallets.get": Told("查询由哪些钱包付款", "Which wallets pay"),
            "paying_wallets.set": Told("设置由哪些钱包付款", "Set which wallets pay"),
        },
    ),
    Group(
        "tokens",
        Told("访问令牌", "Access tokens"),
        {
            "tokens.list": Told("令牌列表", "List access tokens"),
            "tokens.create": Told("创建令牌", "Make an access token"),
            "tokens.get": Told("查询令牌", "One access token"),
            "tokens.change": Told("修改令牌", "Change an access token"),
            "tokens.revoke": Told("吊销令牌", "Revoke an access token"),
        },
    ),
    Group(
        "groups",
        Told("组与邀请", "Groups and invitations"),
        {
            "groups.list": Told("组列表", "List groups"),
            "groups.create": Told("新建组", "Make a group"),
            "groups.get": Told("查询组", "One group"),
            "groups.change": Told("修改组", "Change a group"),
            "groups.delete": Told("删除组", "Delete a group"),
            "memberships.list": Told("组内成员", "Members of a group"),
            "memberships.add": Told("加入成员到组", "Put a member into a group"),
            "memberships.change": Told("修改组内角色", "Change a role"),
            "memberships.remove": Told("从组里移出成员", "Take a member out"),
            "memberships.move": Told("移到另一个组", "Move to another group"),
            "people.list": Told("组内成员的花费与预算", "What each member spent and has left"),
            "people.get": Told("组内一名成员的花费与预算", "One member's spending and budgets"),
            "people.spending": Told("谁花了多少", "Who spent what"),
            "people.limit": Told("给多名成员设预算", "Set the budgets of several members"),
            "invitations.list": Told("邀请列表", "List invitations"),
            "invitations.create": Told("创建邀请", "Make an invitation"),
            "invitations.revoke": Told("撤销邀请", "Revoke an invitation"),
        },
    ),
    Group(
        "wallets",
        Told("钱包与预算", "Wallets and budgets"),
        {
            "wallets.list": Told("钱包列表与搜索", "List or search wallets"),
            "wallets.get": Told("查询钱包", "One wallet"),
            "wallets.grant": Told("发放 Token", "Grant Tokens"),
            "wallets.transfer": Told("转账到另一个钱包", "Move Tokens to another wallet"),
            "budgets.list": Told("预算列表", "List budgets"),
            "budgets.create": Told("设置预算", "Set a budget"),
            "budgets.get": Told("查询预算", "One budget"),
            "budgets.change": Told("修改预算", "Change a budget"),
            "budgets.end": Told("结束预算", "End a budget"),
        },
    ),
    Group(
        "codes",
        Told("兑换码", "Redeem codes"),
        {
            "wallets.redeem": Told("兑换", "Redeem a code"),
            "codes.list": Told("兑换码批次列表", "List batches of codes"),
            "codes.create": Told("生成一批兑换码", "Make a batch of codes"),
            "codes.get": Told("查询一批兑换码", "One batch of codes"),
            "codes.redemptions": Told("查询兑换记录", "Which codes are redeemed"),
            "codes.revoke": Told("作废一批兑换码", "Revoke a batch of codes"),
        },
    ),
    Group(
        "packages",
        Told("套餐与订单", "Packages and orders"),
        {
            "packages.list": Told("可购买的套餐", "List packages"),
            "packages.create": Told("新建套餐", "Offer a package"),
            "packages.get": Told("查询套餐", "One package"),
            "packages.change": Told("修改套餐", "Change a package"),
            "packages.withdraw": Told("下架套餐", "Withdraw a package"),
            "orders.place": Told("下单", "Order a package"),
            "orders.of_wallet": Told("一个钱包的订单", "Orders for a wallet"),
            "orders.list": Told("订单列表", "List orders"),
            "orders.get": Told("查询订单", "One order"),
            "orders.confirm": Told("确认到账", "Confirm a payment"),
            "orders.cancel": Told("取消订单", "Cancel an order"),
            "orders.refund": Told("退款", "Refund an order"),
            "payment_events.list": Told("要处理的付款事件", "Payments to look at"),
        },
    ),
    Group(
        "config",
        Told("配置", "Configuration"),
        {
            "config.get": Told("生效的配置与各网关的状态", "What is applied, and who serves by it"),
            "config.set": Told("应用整份配置", "Apply a whole configuration"),
            "config.change": Told("修改配置的若干字段", "Change some fields"),
            "config.versions": Told("配置版本列表", "List versions"),
            "config.version": Told("查询一个版本", "One version"),
            "config.revert": Told("重新应用旧版本", "Apply an old version again"),
        },
    ),
    Group(
        "safety",
        Told("内容审核", "Moderation"),
        {"safety.check": Told("试一段文字", "What is found in a text")},
    ),
    Group(
        "live",
        Told("实时状态", "Live view"),
        {
            "live.get": Told("网关此刻与最近几分钟", "What the gateway does now"),
            "limits.get": Told("此刻有效的限制", "Which limits hold now"),
        },
    ),
    Group(
        "upkeep",
        Told("体检与备份", "Health and backups"),
        {
            "doctor.get": Told("体检", "What is wrong, and what mends it"),
            "backups.list": Told("备份列表", "List backups"),
            "backups.make": Told("做一份备份", "Make a backup"),
            "backups.check": Told("检查一份备份", "Read a backup to its end"),
        },
    ),
    Group(
        "audit",
        Told("操作记录", "Audit log"),
        {"audit.list": Told("操作记录", "Who did what, when")},
    ),
)
TITLES = {name: title for group in GROUPS for name, title in group.titles.items()}
