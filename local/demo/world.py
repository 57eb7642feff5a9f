"""The sample workspace of the demo: a bakery with several shops. No person or brand is real."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple

NAME = "Juniper & Rye"


@dataclass(frozen=True)
class Person:
    """A user of the platform, and the role in the workspace."""

    id: str
    name: str
    role: str


PEOPLE = (
    Person("usr_maren", "Maren Oduya", "owner"),
    Person("usr_teodor", "Teodor Vance", "admin"),
    Person("usr_lucia", "Lucía Brandt", "member"),
    Person("usr_ines", "Ines Halloran", "viewer"),
)


class Account(NamedTuple):
    id: str
    network: str
    name: str


ACCOUNTS = (
    Account("acc_101", "instagram", "juniperandrye"),
    Account("acc_102", "facebook", "Juniper & Rye"),
    Account("acc_103", "x", "juniperandrye"),
    Account("acc_104", "linkedin", "Juniper & Rye Bakeries"),
    Account("acc_105", "tiktok", "juniper.rye"),
    Account("acc_106", "instagram", "ryelab.kitchen"),
)
CAMPAIGNS = (
    ("cmp_31", "Winter loaves"),
    ("cmp_32", "Sourdough school"),
    ("cmp_33", "Opening: Harbour Lane"),
    ("cmp_34", "Apprentices wanted"),
)
POSTS = (
    "Six o'clock, ovens on. The first rye of the day is for whoever is up with us. 🍞",
    "Cardamom knots are back until Sunday, and then they are gone for a year.",
    "We asked Halvard why his crust sings. He said: “Patience, and a very hot stone.”",
    "Harbour Lane opens on Saturday. The first hundred loaves go out for nothing.",
    "Our sourdough school has four places left in January. Bring an apron.",
    "What happens to yesterday's bread? Breadcrumbs, pudding, and a very good beer.",
    "New on the shelf: spelt with roasted barley. Darker than it looks.",
    "Ask us anything about starters. Petra answers from ten to noon.",
    "Three apprentices wanted. Early mornings, warm hands, no degree needed.",
    "Today's map: where the grain of your loaf grew, field by field.",
    "The queue at Mill Street was worth it, you said. We fixed the second till anyway.",
    "A loaf for a story: tell us about the bread of your childhood.",
)
AUTHORS = (
    ("Tomasz Wren", "@wrentomasz", 812),
    ("Adaeze Kole", "@adakole", 15_400),
    ("Mirko Sand", "@mirko_eats", 2_310),
    ("Philippa Dunmore", "@pipdunmore", 438),
    ("Yusra Feld", "@yusrafeld", 61_200),
    ("Ossian Brack", "@ossianb", 97),
    ("Noor Valkenier", "@noorvalk", 5_050),
    ("Dario Pell", "@pelldario", 1_270),
)
MENTIONS = (
    ("The barley loaf from @juniperandrye lasted one breakfast. Send help. 😍", "positive"),
    ("Is it only me or has the rye become smaller, @juniperandrye?", "negative"),
    ("Queue at Harbour Lane already around the corner at 8.", "neutral"),
    ("@juniperandrye answered my question about hydration within minutes. Lovely people.", "positive"),
    ("Ordered two knots, got one. The app says delivered.", "negative"),
    ("Best apprenticeship post I have read this year: @juniperandrye", "positive"),
    ("Does anyone know whether the Mill Street shop is open on Monday?", "neutral"),
)
MESSAGES = (
    "Do you deliver to the north side on Sundays?",
    "My order 4471 has not arrived. Could you check, please?",
    "Is the spelt loaf free of nuts?",
    "I would like to book two places in the sourdough school.",
    "Can I pick up at Harbour Lane instead of Mill Street?",
    "The voucher code from your story says it has expired.",
    "Could you bake forty rolls for Friday, ten o'clock?",
)
FAILURES = (
    ("media_rejected", "The picture is smaller than 320 pixels.", False),
    ("rate_limited", "The network allows 25 posts a day. This was the 26th.", True),
    ("account_disconnected", "The account's access ended. Connect it again.", False),
    ("network_unavailable", "The network did not answer within 30 seconds.", True),
)
# How often each type of event happens, relative to the others.
WEIGHTS = {
    "MENTION_RECEIVED": 30,
    "MESSAGE_RECEIVED": 24,
    "POST_PUBLISHED": 16,
    "POST_SCHEDULED": 10,
    "CONVERSATION_ASSIGNED": 8,
    "APPROVAL_REQUESTED": 5,
    "APPROVAL_COMPLETED": 4,
    "POST_FAILED": 3,
    "ALERT_TRIGGERED": 2,
    "CAMPAIGN_STARTED": 1,
    "CAMPAIGN_COMPLETED": 1,
}


def iso(ms: float) -> str:
    """Format Unix milliseconds as the API writes a time."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(random: Random, at: str) -> tuple[str, dict[str, Any]]:
    """An event that happens at a time: its type and its data, which the catalogue's schema accepts."""
    (kind,) = random.choices(list(WEIGHTS), list(WEIGHTS.values()))
    return kind, data(kind, random, at)


def run(number: int) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """The n-th run of an action: the automation platform, the action, its input, and its output."""
    account, text = ACCOUNTS[number % len(ACCOUNTS)], POSTS[number % len(POSTS)]
    thanks = "Thank you! We will look into it."
    return (
        (
            "zapier",
            "create_post",
            {"accountId": account.id, "text": text},
            {"postId": f"post_{7_000 + number}", "status": "published"},
        ),
        (
            "make",
            "reply_to_message",
            {"conversationId": f"cnv_{number % 400}", "text": thanks},
            {"messageId": f"msg_{3_000 + number}", "conversationId": f"cnv_{number % 400}"},
        ),
        ("n8n", "create_campaign", {"name": "Rye week"}, {"campaignId": "cmp_35", "name": "Rye week"}),
    )[number % 3]


def data(kind: str, random: Random, at: str) -> dict[str, Any]:
    """The data of an event of this type, at a time in ISO 8601."""
    account, number = random.choice(ACCOUNTS), random.randrange(1_000, 99_999)
    campaign_id, campaign = random.choice(CAMPAIGNS)
    where = {"network": account.network, "accountId": account.id, "accountName": account.name}
    text, member = random.choice(POSTS), random.choice(PEOPLE[:3])
    post = {"postId": f"post_{number}", **where, "text": text}
    author, handle, followers = random.choice(AUTHORS)
    campaign_or_none = random.choice((campaign_id, None))
    match kind:
        case "POST_PUBLISHED":
            return {
                **post,
                "mediaUrls": [f"https://media.example/{number}/cover.jpg"],
                "url": f"https://{account.network}.example/p/{number}",
                "campaignId": campaign_or_none,
                "publishedAt": at,
            }
        case "POST_SCHEDULED":
            return {
                **post,
                "mediaUrls": [],
                "campaignId": campaign_or_none,
                "scheduledFor": at,
                "scheduledBy": member.id,
            }
        case "POST_FAILED":
            code, message, retried = random.choice(FAILURES)
            failure = {"errorCode": code, "errorMessage": message, "willRetry": retried, "failedAt": at}
            return {**post, "campaignId": campaign_or_none, **failure}
        case "MENTION_RECEIVED":
            said, sentiment = random.choice(MENTIONS)
            return {
                "mentionId": f"men_{number}",
                **where,
                "authorName": author,
                "authorHandle": handle,
                "authorFollowers": followers,
                "text": said,
                "url": f"https://{account.network}.example/{handle[1:]}/{number}",
                "sentiment": sentiment,
                "mentionedAt": at,
            }
        case "MESSAGE_RECEIVED":
            return {
                "messageId": f"msg_{number}",
                "conversationId": f"cnv_{number % 400}",
                **where,
                "authorName": author,
                "authorHandle": handle,
                "kind": random.choice(("direct_message", "comment")),
                "text": random.choice(MESSAGES),
                "attachmentUrls": [],
                "receivedAt": at,
            }
        case "CONVERSATION_ASSIGNED":
            return {
                "conversationId": f"cnv_{number % 400}",
                **where,
                "customerName": author,
                "assigneeId": member.id,
                "assigneeName": member.name,
                "assignedBy": random.choice((PEOPLE[1].id, None)),
                "assignedAt": at,
            }
        case "APPROVAL_REQUESTED":
            return {
                "approvalId": f"apr_{number}",
                "postId": f"post_{number}",
                "network": account.network,
                "text": text,
                "requestedBy": PEOPLE[2].id,
                "approverIds": [PEOPLE[0].id, PEOPLE[1].id],
                "dueAt": at,
                "url": f"https://postloom.example/approvals/apr_{number}",
                "requestedAt": at,
            }
        case "APPROVAL_COMPLETED":
            decision = random.choice(("approved", "approved", "rejected"))
            return {
                "approvalId": f"apr_{number}",
                "postId": f"post_{number}",
                "network": account.network,
                "text": text,
                "decision": decision,
                "decidedBy": random.choice(PEOPLE[:2]).id,
                "comment": "Lovely, go." if decision == "approved" else "Please mention the opening hours.",
                "completedAt": at,
            }
        case "ALERT_TRIGGERED":
            value = random.randrange(26, 60)
            return {
                "alertId": f"alr_{number}",
                "name": "Negative mentions",
                "severity": random.choice(("info", "warning", "critical")),
                "metric": "negative_mentions_per_hour",
                "value": value,
                "threshold": 25,
                "message": f"{value} negative mentions within an hour; usual are 6.",
                "url": f"https://postloom.example/alerts/alr_{number}",
                "triggeredAt": at,
            }
    networks = sorted({each.network for each in random.sample(ACCOUNTS, 3)})
    shared = {"campaignId": campaign_id, "name": campaign, "networks": networks, "startedAt": at}
    if kind == "CAMPAIGN_STARTED":
        return {**shared, "postCount": random.randrange(4, 30), "endsAt": at}
    reach = random.randrange(4_000, 90_000)
    counts = {"postsPublished": random.randrange(4, 30), "impressions": reach, "engagements": reach // 15}
    return {**shared, **counts, "completedAt": at}
