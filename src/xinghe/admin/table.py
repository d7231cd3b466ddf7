"""The one table of the operators' operations; who may call each is in `accounts.rights`."""

from xinghe.accounts.rights import RIGHTS
from xinghe.admin import (
    audit,
    backups,
    budgets,
    charge,
    codes,
    config,
    doctor,
    groups,
    invitations,
    limits,
    live,
    members,
    orders,
    packages,
    paying_wallets,
    payment_events,
    people,
    safety,
    spending,
    targets,
    tokens,
    transfers,
    wallets,
)
from xinghe.admin.operation import Operation
from xinghe.admin.shapes import Deleted, Paging
from xinghe.api.query import Query
from xinghe.api.strict import StrictForm

PAGE = Query(Paging)
MEMBER, GROUP = "/members/{member}", "/groups/{group}"
PLACE = f"{GROUP}/members/{{member}}"
TOKEN, BUDGET = "/tokens/{token}", "/budgets/{budget}"
WALLET, CODES = "/wallets/{wallet}", "/codes/{batch}"
PACKAGE, ORDER = "/packages/{package}", "/orders/{order}"
CONFIG = "/config"

OPERATIONS = (
    Operation(
        "members.list", "GET", "/members", "List the members, or search them by name.",
        targets.service, members.list_, members.MemberList, query=Query(members.MemberQuery),
    ),
    Operation(
        "members.create", "POST", "/members", "Make a member.",
        targets.given_group, members.create, members.MemberView, StrictForm(members.NewMember),
    ),
    Operation(
        "members.get", "GET", MEMBER, "One member.",
        targets.member, members.get, members.MemberView,
    ),
    Operation(
        "members.change", "PATCH", MEMBER, "Rename, disable or enable a member.",
        targets.member, members.change, members.MemberView,
        StrictForm(members.MemberChange, ["password"]), conditional=True,
    ),
    Operation(
        "members.delete", "DELETE", MEMBER, "Delete a member: the name goes, the books stay.",
        targets.member, members.delete, Deleted, conditional=True,
    ),
    Operation(
        "paying_wallets.get", "GET", f"{MEMBER}/payment", "Which wallets pay for a member.",
        targets.member, paying_wallets.get, paying_wallets.PayingWallets,
    ),
    Operation(
        "paying_wallets.set", "PUT", f"{MEMBER}/payment", "Set which wallets pay for a member.",
        targets.member, paying_wallets.put, paying_wallets.PayingWallets,
        StrictForm(paying_wallets.NewPayingWallets), conditional=True,
    ),
    Operation(
        "tokens.list", "GET", f"{MEMBER}/tokens", "List a member's access tokens.",
        targets.member, tokens.list_, tokens.TokenList, query=PAGE,
    ),
    Operation(
        "tokens.create", "POST", f"{MEMBER}/tokens", "Make an access token, shown this once.",
        targets.member, tokens.create, tokens.TokenView, StrictForm(tokens.NewToken),
    ),
    Operation(
        "tokens.get", "GET", TOKEN, "One access token.",
        targets.token, tokens.get, tokens.TokenView,
    ),
    Operation(
        "tokens.change", "PATCH", TOKEN, "Change what an access token allows.",
        targets.token, tokens.change, tokens.TokenView, StrictForm(tokens.TokenChange),
        conditional=True,
    ),
    Operation(
        "tokens.revoke", "DELETE", TOKEN, "Revoke an access token.",
        targets.token, tokens.revoke, tokens.TokenView, conditional=True,
    ),
    Operation(
        "groups.list", "GET", "/groups", "List the groups, or those of an organisation.",
        targets.listed_groups, groups.list_, groups.GroupList, query=Query(groups.GroupQuery),
    ),
    Operation(
        "groups.create", "POST", "/groups", "Make a group.",
        targets.given_parent, groups.create, groups.GroupView, StrictForm(groups.NewGroup),
    ),
    Operation(
        "groups.get", "GET", GROUP, "One group.",
        targets.group, groups.get, groups.GroupView,
    ),
    Operation(
        "groups.change", "PATCH", GROUP, "Rename a group, or set the models that it may use.",
        targets.group, groups.change, groups.GroupView, StrictForm(groups.GroupChange),
        conditional=True,
    ),
    Operation(
        "groups.delete", "DELETE", GROUP, "Delete a group.",
        targets.group, groups.delete, Deleted, conditional=True,
    ),
    Operation(
        "memberships.list", "GET", f"{GROUP}/members", "List who is in a group.",
        targets.group, groups.members, groups.MembershipList, query=PAGE,
    ),
    Operation(
        "memberships.add", "POST", f"{GROUP}/members", "Put a member into a group.",
        targets.group, groups.add, groups.MembershipView, StrictForm(groups.NewMembership),
    ),
    Operation(
        "memberships.change", "PATCH", PLACE, "Give a member another role.",
        targets.membership, groups.set_role, groups.MembershipView,
        StrictForm(groups.MembershipChange),
    ),
    Operation(
        "memberships.remove", "DELETE", PLACE, "Take a member out of a group.",
        targets.membership, groups.remove, Deleted,
    ),
    Operation(
        "memberships.move", "POST", f"{PLACE}/move", "Move a member into another group.",
        targets.membership, charge.move, groups.MembershipView, StrictForm(charge.Move),
    ),
    Operation(
        "people.list", "GET", f"{GROUP}/people", "Who is in a group: what each spent and has left.",
        targets.group, people.list_, people.PersonList, query=Query(people.PersonQuery),
    ),
    Operation(
        "people.get", "GET", f"{GROUP}/people/{{member}}", "One of a group: spent, left, budgets.",
        targets.membership, people.get, people.PersonView, query=Query(people.PersonZone),
    ),
    Operation(
        "people.spending", "GET", f"{GROUP}/spending", "Who spent what of a group in a time.",
        targets.group, spending.get, spending.SpendingView, query=Query(spending.SpendingQuery),
    ),
    Operation(
        "people.limit", "POST", f"{GROUP}/budgets", "Set the budgets of members of a group.",
        targets.group, charge.limit, charge.BudgetsSet, StrictForm(charge.NewBudgets),
        repeatable=True,
    ),
    Operation(
        "invitations.list", "GET", f"{GROUP}/invitations", "List the invitations into a group.",
        targets.group, invitations.list_, invitations.InvitationList, query=PAGE,
    ),
    Operation(
        "invitations.create", "POST", f"{GROUP}/invitations", "Invite, by a code shown this once.",
        targets.group, invitations.create, invitations.InvitationView,
        StrictForm(invitations.NewInvitation), repeatable=True,
    ),
    Operation(
        "invitations.revoke", "DELETE", "/invitations/{invitation}", "Let nobody else in by it.",
        targets.invitation, invitations.revoke, invitations.InvitationView,
    ),
    Operation(
        "wallets.list", "GET", "/wallets", "List the wallets, by name or by what they hold.",
        targets.service, wallets.list_, wallets.WalletList, query=Query(wallets.WalletQuery),
    ),
    Operation(
        "wallets.get", "GET", WALLET, "What a wallet holds, lot by lot.",
        targets.wallet, wallets.get, wallets.WalletView,
    ),
    Operation(
        "wallets.grant", "POST", f"{WALLET}/grants", "Grant Tokens, with a reason.",
        targets.wallet, wallets.grant, wallets.Grant, StrictForm(wallets.NewGrant),
        repeatable=True,
    ),
    Operation(
        "wallets.redeem", "POST", f"{WALLET}/redeem", "Redeem a code into a wallet.",
        targets.wallet, codes.redeem, codes.Redeemed, StrictForm(codes.TypedCode, ["code"]),
        repeatable=True,
    ),
    Operation(
        "wallets.transfer", "POST", f"{WALLET}/transfers", "Move Tokens into another wallet.",
        targets.wallet, transfers.transfer, transfers.Transfer, StrictForm(transfers.NewTransfer),
        repeatable=True,
    ),
    Operation(
        "codes.list", "GET", "/codes", "List the batches of redeem codes.",
        targets.service, codes.list_, codes.BatchList, query=PAGE,
    ),
    Operation(
        "codes.create", "POST", "/codes", "Make a batch of codes, shown this once.",
        targets.service, codes.create, codes.NewCodes, StrictForm(codes.NewBatchBody),
    ),
    Operation(
        "codes.get", "GET", CODES, "One batch of codes.",
        targets.batch, codes.get, codes.BatchView,
    ),
    Operation(
        "codes.redemptions", "GET", f"{CODES}/redemptions", "Which codes of a batch are redeemed.",
        targets.batch, codes.redemptions, codes.RedemptionList, query=PAGE,
    ),
    Operation(
        "codes.revoke", "DELETE", CODES, "Have none of its codes be redeemed any more.",
        targets.batch, codes.revoke, codes.BatchView,
    ),
    Operation(
        "packages.list", "GET", "/packages", "List the packages that can be bought.",
        targets.offered, packages.list_, packages.PackageList, query=Query(packages.PackageQuery),
    ),
    Operation(
        "packages.create", "POST", "/packages", "Offer a package.",
        targets.service, packages.create, packages.PackageView, StrictForm(packages.NewPackage),
        repeatable=True,
    ),
    Operation(
        "packages.get", "GET", PACKAGE, "One package.",
        targets.package, packages.get, packages.PackageView,
    ),
    Operation(
        "packages.change", "PATCH", PACKAGE, "Change a package; what was ordered stays.",
        targets.package, packages.change, packages.PackageView, StrictForm(packages.PackageChange),
        conditional=True,
    ),
    Operation(
        "packages.withdraw", "DELETE", PACKAGE, "Withdraw a package: nobody can order it any more.",
        targets.package, packages.withdraw, packages.PackageView, conditional=True,
    ),
    Operation(
        "orders.place", "POST", "/wallets/{wallet}/orders", "Order a package for a wallet.",
        targets.wallet, orders.place, orders.OrderView, StrictForm(orders.NewOrder),
        repeatable=True,
    ),
    Operation(
        "orders.of_wallet", "GET", "/wallets/{wallet}/orders", "List the orders for a wallet.",
        targets.wallet, orders.list_, orders.OrderList, query=Query(orders.OrderQuery),
    ),
    Operation(
        "orders.list", "GET", "/orders", "List the orders, the newest first.",
        targets.service, orders.list_, orders.OrderList, query=Query(orders.AllOrdersQuery),
    ),
    Operation(
        "orders.get", "GET", ORDER, "One order, and what was refunded of it.",
        targets.order, orders.get, orders.OrderView,
    ),
    Operation(
        "orders.confirm", "POST", f"{ORDER}/confirm", "Confirm the payment of an order: credit it.",
        targets.order, orders.confirm, orders.OrderView, StrictForm(orders.Confirmation),
        repeatable=True,
    ),
    Operation(
        "orders.cancel", "POST", f"{ORDER}/cancel", "Cancel an order that is not paid.",
        targets.order, orders.cancel, orders.OrderView, repeatable=True,
    ),
    Operation(
        "orders.refund", "POST", f"{ORDER}/refunds", "Refund what is left of an order, or a part.",
        targets.order, orders.refund, orders.OrderView, StrictForm(orders.NewRefund),
        repeatable=True,
    ),
    Operation(
        "payment_events.list", "GET", "/payment-events", "What payment providers have told.",
        targets.service, payment_events.list_, payment_events.PaymentEventList,
        query=Query(payment_events.PaymentEventQuery),
    ),
    Operation(
        "budgets.list", "GET", "/budgets", "List the budgets of a member, group or token.",
        targets.given_subject, budgets.list_, budgets.BudgetList, query=Query(budgets.BudgetQuery),
    ),
    Operation(
        "budgets.create", "POST", "/budgets", "Set a budget.",
        targets.given_subject, budgets.create, budgets.BudgetView,
        StrictForm(budgets.NewBudgetBody), repeatable=True,
    ),
    Operation(
        "budgets.get", "GET", BUDGET, "One budget, and what is used of it.",
        targets.budget, budgets.get, budgets.BudgetView,
    ),
    Operation(
        "budgets.change", "PATCH", BUDGET, "Change the amount of a budget.",
        targets.budget, budgets.change, budgets.BudgetView, StrictForm(budgets.BudgetChange),
        conditional=True,
    ),
    Operation(
        "budgets.end", "DELETE", BUDGET, "End a budget.",
        targets.budget, budgets.end, Deleted, conditional=True,
    ),
    Operation(
        "config.get", "GET", CONFIG, "The applied configuration, and how each gateway follows it.",
        targets.service, config.get, config.Config,
    ),
    Operation(
        "config.set", "PUT", CONFIG, "Apply a whole configuration.",
        targets.service, config.set_, config.ConfigChanged, StrictForm(config.NewConfig),
        repeatable=True, conditional=True, max_body_bytes=config.MAX_BODY_BYTES,
    ),
    Operation(
        "config.change", "PATCH", CONFIG, "Change some fields of the configuration.",
        targets.service, config.change, config.ConfigChanged, StrictForm(config.ConfigPatch),
        repeatable=True, conditional=True, max_body_bytes=config.MAX_BODY_BYTES,
    ),
    Operation(
        "config.versions", "GET", f"{CONFIG}/versions", "List the versions, the newest first.",
        targets.service, config.list_, config.ConfigVersionList, query=PAGE,
    ),
    Operation(
        "config.version", "GET", f"{CONFIG}/versions/{{version}}", "One version.",
        targets.service, config.version, config.ConfigVersion,
    ),
    Operation(
        "config.revert", "POST", f"{CONFIG}/revert", "Apply an old version again.",
        targets.service, config.revert, config.ConfigChanged, StrictForm(config.Revert),
        repeatable=True, conditional=True,
    ),
    Operation(
        "safety.check", "POST", "/safety/check", "Say what moderation finds in a text.",
        targets.service, safety.check, safety.SafetyChecked, StrictForm(safety.TextToCheck),
    ),
    Operation(
        "live.get", "GET", "/live", "What this gateway does now, and did in the last minutes.",
        targets.service, live.get, live.LiveView,
    ),
    Operation(
        "limits.get", "GET", "/limits", "Which limits hold now.",
        targets.service, limits.get, limits.ServiceLimits,
    ),
    Operation(
        "doctor.get", "GET", "/doctor", "What is wrong with the service or its machine.",
        targets.service, doctor.get, doctor.Doctor,
    ),
    Operation(
        "backups.list", "GET", "/backups", "List the backups, and what is done with one.",
        targets.service, backups.list_, backups.BackupList,
    ),
    Operation(
        "backups.make", "POST", "/backups", "Make a backup in the folder that is set.",
        targets.service, backups.make, backups.BackupTask,
    ),
    Operation(
        "backups.check", "POST", "/backups/{backup}/check", "Read a backup to its end.",
        targets.service, backups.check, backups.BackupTask,
    ),
    Operation(
        "audit.list", "GET", "/audit", "Who did what, when; the newest first.",
        targets.service, audit.list_, audit.AuditLog, query=Query(audit.AuditQuery),
    ),
)  # fmt: skip
assert {each.name for each in OPERATIONS} == RIGHTS.keys()
