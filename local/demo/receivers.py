"""Receivers of webhooks. The first part of a URL's path says how the receiver behaves:

    good      answers 200 after some milliseconds
    flaky     answers 500 to about every fifth request
    slow      answers 200 after three seconds
    busy      answers 429 with Retry-After to every fourth request
    strict    answers 422 to posts on some networks
    gone      always answers 410
    odd       answers 200 with an HTML page, as a proxy in front of a receiver does
    down      refuses connections, at DOWN_URL

A receiver's answer depends only on the request, so the history and the running receivers agree.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import urlsplit

from local.asgi import read_body, respond

BEHAVIORS = ("good", "flaky", "slow", "busy", "strict", "gone", "odd")
# The lowest port that a webhook may have. IANA has reserved it, and systems do not assign it to programs.
DOWN_URL = "http://127.0.0.1:1024/down"
MAX_BODY = 1024 * 1024
_JSON = "application/json"
_ODD_PAGE = """<!doctype html>
<html><head><title>502 · Gatekeeper</title></head>
<body onload="alert('receiver')">
<h1>We&rsquo;ll be right back ☕</h1>
<p>Ray ID: <script>document.title = "not escaped"</script>7f3a\u202e9c1</p>
<img src=x onerror="alert(1)">
</body></html>
"""


@dataclass(frozen=True)
class Reply:
    """An answer, and its latency in milliseconds."""

    status: int
    ms: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


OUTAGE = Reply(
    503, 41, [("content-type", "text/plain"), ("server", "nginx")], b"upstream connect error: no healthy host"
)


def reply(url: str, key: str, body: bytes) -> Reply | None:
    """The answer to a request, or None for a refused connection. `key` identifies the request among all
    others.
    """
    if url.startswith(DOWN_URL):
        return None
    behavior = urlsplit(url).path.split("/")[1]
    random = Random(key)
    ms = _latency(random)
    match behavior:
        case "gone":
            return _json(410, ms, {"error": "gone", "message": "This endpoint was removed."})
        case "slow":
            return _json(200, 2_700 + random.randrange(700), {"received": True})
        case "odd":
            headers = [("content-type", "text/html; charset=utf-8"), ("server", "gatekeeper/1.4")]
            return Reply(200, ms, headers, _ODD_PAGE.encode())
        case "flaky" if random.random() < 0.2:
            trace = f"upstream worker {random.randrange(1, 9)} did not answer"
            return _json(500, ms + random.randrange(900), {"error": "internal", "trace": trace})
        case "busy" if random.random() < 0.25:
            answer = _json(429, ms, {"error": "too_many_requests"})
            answer.headers.append(("retry-after", str(random.choice((10, 30, 60)))))
            return answer
        case "strict" if _network(body) in ("tiktok", "linkedin"):
            return _json(
                422, ms, {"error": "unknown_network", "field": "data.network", "message": "Not set up."}
            )
        case _ if behavior in BEHAVIORS:
            return _json(200, ms, {"received": True, "id": f"rcv_{random.getrandbits(40):010x}"})
    return _json(404, ms, {"error": "not_found", "behaviors": BEHAVIORS})


def _latency(random: Random) -> int:
    """A latency in milliseconds: usually below a hundred, and sometimes far above."""
    return min(round(random.lognormvariate(4.0, 0.55)) + 8, 1_900)


def _json(status: int, ms: int, content: Any) -> Reply:
    return Reply(status, ms, [("content-type", _JSON)], json.dumps(content).encode())


def _network(body: bytes) -> str:
    try:
        return str(json.loads(body)["data"]["network"])
    except (ValueError, KeyError, TypeError):
        return ""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The receivers as an ASGI application."""
    body = await read_body(receive, MAX_BODY)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    key = f"{headers.get('webhook-id', '')} {headers.get('webhook-timestamp', time.time())}"
    answer = reply(scope["path"], key, body or b"")
    assert answer is not None, "nothing listens at DOWN_URL"
    await asyncio.sleep(answer.ms / 1000)
    await respond(send, answer.status, answer.headers, answer.body)
