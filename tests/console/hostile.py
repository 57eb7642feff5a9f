"""Texts that try to run in their reader's page, in every field that a tenant or a receiver sets.

Their HTML has the attribute `data-hostile`, so that `assert_inert` also finds HTML that was parsed and that
only the Content-Security-Policy stopped. Scripts set `window.hostile`, and requests go to evil.example.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from tests.console.filled import MENTION
from tests.console.views import PLATFORM
from tests.e2e.conftest import API_KEYS, WEBHOOKS, Workspace, eventually
from tests.receivers import Answer, Request, receiver

_INTEGRATIONS = "/api/integrations"
_INTEGRATION = {"type": "CUSTOM", "provider": "acme"}
_WEBHOOK = {"eventTypes": ["POST_PUBLISHED"], "retryConfig": {"maxRetries": 0}}

_FLOW_TRIGGER = {"type": "event", "eventTypes": ["MENTION_RECEIVED"]}
_SECOND = {"type": "wait", "seconds": 1}
_WAIT = {"id": "wait", **_SECOND}

_RUN = "window.hostile=1;alert(1)"
_EVIL = "https://evil.example"
# A client ID allows only some characters.
_PUBLICATION = {
    "type": "CRM",
    "provider": "hubspot",
    "isPublic": True,
    "config": {"clientId": f"javascript:{_RUN}", "clientSecret": "secret"},
}

TEXTS: tuple[str, ...] = (
    f"<script data-hostile>{_RUN}</script>",
    f"</script><script data-hostile>{_RUN}</script>",
    f"</title></textarea></style><script data-hostile>{_RUN}</script>",
    f'<img data-hostile src=x onerror="{_RUN}">',
    f'"><img data-hostile src={_EVIL}/a.png>',
    f"' onmouseover='{_RUN}' data-hostile='",
    f'" autofocus onfocus="{_RUN}" data-hostile="',
    f"<svg data-hostile onload={_RUN}>",
    f'<svg data-hostile><a xlink:href="javascript:{_RUN}"><text>x</text></a></svg>',
    f'<math data-hostile><mtext></mtext><mglyph><style><img src onerror="{_RUN}"></style></mglyph></math>',
    f'<iframe data-hostile srcdoc="<script>parent.{_RUN}</script>"></iframe>',
    f'<object data-hostile data="{_EVIL}/x.svg"></object>',
    f'<form data-hostile action="{_EVIL}"><button>Sign in again</button></form>',
    f'<base data-hostile href="{_EVIL}/">',
    f'<meta data-hostile http-equiv="refresh" content="0;url={_EVIL}/">',
    f'<link data-hostile rel="stylesheet" href="{_EVIL}/a.css">',
    f"<style data-hostile>@import '{_EVIL}/a.css';</style>",
    f'<details data-hostile open ontoggle="{_RUN}">',
    f"javascript:{_RUN}",
    f"JaVaScRiPt\t:{_RUN}",
    f"data:text/html,<script data-hostile>{_RUN}</script>",
    f"vbscript:{_RUN}",
    f"{_EVIL}/",
    "//evil.example/",
    f"[Sign in](javascript:{_RUN}) ![x]({_EVIL}/x.png)",
    f"{{{{constructor.constructor('{_RUN}')()}}}}",
    f"${{{_RUN}}} #{{{_RUN}}} <%= {_RUN} %>",
    f"&lt;img data-hostile src=x onerror={_RUN}&gt;",
    f"%3Cscript%20data-hostile%3E{_RUN}%3C/script%3E",
    f"\\u003cscript data-hostile\\u003e{_RUN}\\u003c/script\\u003e",
    f"<!--><script data-hostile>{_RUN}</script>-->",
    f"<![CDATA[<script data-hostile>{_RUN}</script>]]>",
    f"red;background:url({_EVIL}/x.png)",
    "__proto__",
    "constructor",
    "toString",
    "invoice\u202egnp.exe",  # right-to-left override
    "\u2066\u2067admin\u2069\u200f: approved",
    "שלום <b data-hostile>עולם</b> مرحبا",
    "Z̷̢̛a̸l̵g̶o" + "\u0336" * 40,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \ud7ff\ufffd\ufeff",
    "null\u0000byte<b data-hostile>",
    "line\nbreak\r\nand\ttab",
    "W" * 400,
    "veryLongWordsWithoutAnySpace_" * 12,
)


# Each kind of resource gets one in `SHARE` texts, and together the kinds have all texts. Using all texts for
# each kind would take a minute longer, and find nothing more.
SHARE = 3


class Planted(Counter[str]):
    """How many texts each field accepted. The API rejects some, such as control characters in a name."""


def texts_of(kind: int) -> Sequence[str]:
    """The texts for the kind of resource with this number."""
    return TEXTS[kind % SHARE :: SHARE]


@contextlib.contextmanager
def planted(workspace: Workspace) -> Iterator[Planted]:
    """Put the texts into every field that accepts them, and deliver an event with all texts to receivers that
    return them. The receivers and the provider run until the block ends.
    """
    count = Planted()
    with receiver([_response(text) for text in TEXTS]) as hooks, receiver([_refuse]) as provider:
        plant = partial(_create, workspace, count)
        plant(0, "webhook", WEBHOOKS, _webhook_fields, url=hooks.url, **_WEBHOOK)
        plant(1, "API key", API_KEYS, _key_fields, scopes=["events:read"])
        plant(2, "integration", _INTEGRATIONS, _integration_fields, **_INTEGRATION)
        plant(0, "flow", "/api/flows", _flow_fields, trigger=_FLOW_TRIGGER, steps=[_WAIT])
        plant(1, "publication", _INTEGRATIONS, _publication_fields, **_PUBLICATION)
        _decide(workspace, count)
        _connect(workspace, count, provider.url)
        _run_flow(workspace)
        for _ in range(SHARE):  # each webhook gets one response per event, so that every text is a response
            event = workspace.publish({"hostile": list(TEXTS), **dict.fromkeys(TEXTS, 1)})
            assert set(workspace.settled(event["id"]).values()) == {"FAILED"}
        count["response of a receiver"] = len(hooks.requests) // SHARE
        yield count


def _webhook_fields(text: str) -> dict[str, Any]:
    return {"name": text[:100], "headers": {"x-hostile": text}}


def _key_fields(text: str) -> dict[str, Any]:
    return {"name": text[:100]}


def _integration_fields(text: str) -> dict[str, Any]:
    return {"name": text[:100], "description": text, "metadata": {"note": text, text: "note"}}


def _flow_fields(text: str) -> dict[str, Any]:
    step = {**_WAIT, "name": text[:100]}
    expected = [{"path": "text", "op": "in", "value": ["hostile", text[:256]]}]
    return {
        "name": text[:100],
        "description": text,
        "steps": [step],
        "trigger": {**_FLOW_TRIGGER, "filters": expected},
    }


def _run_flow(workspace: Workspace) -> None:
    """Create and run the newest flow, whose steps have the texts as names."""
    steps = [
        {
            "id": "stop",
            "type": "filter",
            "filters": [{"path": "event.data.text", "op": "equals", "value": "no"}],
        }
    ]
    names = [text for text in TEXTS if text.isprintable()][:10]
    waits = [{"id": f"wait_{number}", "name": text[:100], **_SECOND} for number, text in enumerate(names)]
    body = {"name": TEXTS[0], "trigger": _FLOW_TRIGGER, "steps": [waits[0], *steps, *waits[1:]]}
    flow = workspace("POST /api/flows", json=body)
    workspace("POST /api/events", json={"type": "MENTION_RECEIVED", "data": {**MENTION, "text": TEXTS[3]}})
    eventually(lambda: workspace(f"GET /api/flows/{flow['id']}/runs?status=STOPPED")["items"])


def _create(
    workspace: Workspace,
    count: Planted,
    number: int,
    kind: str,
    path: str,
    fields_of: Callable[[str], dict[str, Any]],
    **base: Any,
) -> None:
    """Create one resource for each text of the kind, with the text in all fields. If a field refuses it, try
    each field alone.
    """
    for text in texts_of(number):
        fields = fields_of(text)
        usual = {"name": kind, **base}
        if _accepts(workspace, path, {**usual, **fields}):
            taken = list(fields)
        else:
            taken = [
                name for name, value in fields.items() if _accepts(workspace, path, {**usual, name: value})
            ]
        count.update(f"{kind}: {name}" for name in taken)


def _accepts(workspace: Workspace, path: str, body: Any, method: str = "POST") -> bool:
    answer = workspace.ask(f"{method} {path}", json=body)
    assert answer.is_success or answer.status_code == 422, f"{path}: {answer.status_code} {answer.text}"
    return answer.is_success


def _connect(workspace: Workspace, count: Planted, provider: str) -> None:
    """Create connections with the texts as accounts, and OAuth flows that end with the texts as errors."""
    mail = workspace(f"POST {_INTEGRATIONS}", json={"name": "Mail", **_INTEGRATION})
    redirect = "https://platform.example/callback"
    config = {
        "authorizationUrl": f"{provider}a",
        "tokenUrl": f"{provider}t",
        "clientId": "client",
        "clientSecret": "secret",
        "redirectUris": [redirect],
    }
    crm = workspace(f"POST {_INTEGRATIONS}", json={"name": "CRM", **_INTEGRATION, "config": config})
    for number, text in enumerate(texts_of(1)):
        account = {"connectionId": f"c{number}", "credentials": {"username": text, "password": "p"}}
        count["account"] += _accepts(workspace, f"{_INTEGRATIONS}/{mail['id']}/connections", account)
        start = f"POST {_INTEGRATIONS}/{crm['id']}/oauth/initiate"
        flow = workspace(start, json={"redirectUri": redirect, "connectionId": f"c{number}"})
        done = {"state": flow["state"], "code": text}
        assert not workspace.ask(f"POST {_INTEGRATIONS}/oauth/callback", json=done).is_success
        link = {"integrations": [mail["id"]], "workspaceName": text, "requestedBy": text}
        count["name in a connect link"] += _accepts(workspace, "/api/connect/sessions", link)
    log = workspace(f"GET {_INTEGRATIONS}/{crm['id']}/logs?limit=100")["items"]
    count["error of a provider"] = sum(entry["outcome"] != "SUCCEEDED" for entry in log)


def _decide(workspace: Workspace, count: Planted) -> None:
    """Decide on the publications, with the texts in the platform's fields. Each then waits for a review."""
    # The page of a publication shows the newest one, so this one has many of the texts.
    many = {"name": TEXTS[3], "description": " ".join(text for text in TEXTS if text.isprintable())[:1_900]}
    workspace(f"POST {_INTEGRATIONS}", json={**_PUBLICATION, **many})
    platform = Workspace(workspace.stack, PLATFORM)
    public = workspace(f"GET {_INTEGRATIONS}?provider=hubspot&limit=100")["items"]
    for number, integration in enumerate(public):
        text = TEXTS[number * SHARE % len(TEXTS)]
        line = f"PUT /api/publications/{workspace.name}/{integration['id']}/decision"
        decision = {"decision": "APPROVE", "version": integration["version"]}
        for words in ({"publisherName": text[:100], "reviewReason": text}, {"reviewReason": text}, {}):
            if platform.ask(line, json={**decision, **words}).is_success:
                count.update(f"decision: {name}" for name in words)
                break
        change = {
            "description": f"{text[:900]} {integration['description'][:900]}",
            "scopes": ["oauth", "tickets"],
        }
        if not _accepts(workspace, f"{_INTEGRATIONS}/{integration['id']}", change, "PUT"):
            workspace(f"PUT {_INTEGRATIONS}/{integration['id']}", json={"scopes": ["tickets"]})


def _publication_fields(text: str) -> dict[str, Any]:
    return {"name": text[:100], "description": text[:1_900]}


def _response(text: str) -> Answer:
    """A receiver's response with the text in a header and in the body."""
    header = "".join(letter for letter in text if " " <= letter <= "~")
    return Answer(
        400, {"x-hostile": header or "-", "content-type": "text/html"}, text.encode(errors="replace")
    )


def _refuse(request: Request) -> Answer:
    """A token endpoint's error response (RFC 6749, 5.2), with the text that was sent as the code."""
    [text] = parse_qs(request.body.decode())["code"]
    body = {"error": "invalid_grant", "error_description": text, "error_uri": text}
    return Answer(400, {"content-type": "application/json"}, json.dumps(body).encode())
