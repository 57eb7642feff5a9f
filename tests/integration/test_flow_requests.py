"""Request steps of flows: only the provider's API gets the token of a connection."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from patchbay.clock import now_ms
from patchbay.oauth import api_requests, provider_calls, store
from tests.conftest import REDIRECT_URI, jwt_for
from tests.faults import killed
from tests.integration.conftest import Pipeline
from tests.integration.oauth_fakes import (
    INTEGRATIONS,
    Provider,
    config,
    json_answer,
    provider,
    token_answer,
)
from tests.integration.test_flows import FLOWS, TRIGGER, Flows
from tests.problems import assert_problem
from tests.receivers import Answer, Receiver, Request, receiver

TOKEN = "access-1-7d1f"  # the first token that the fake provider issues
API_KEY = "key-of-the-api-31f0aa"
Steps = list[Callable[[Request], "int | Answer"] | int | Answer]


class Requests(Flows):
    """A workspace with an integration that is connected to a fake provider with an API."""

    def __init__(self, pipeline: Pipeline, team: Receiver, platform: Receiver, crm: Provider) -> None:
        super().__init__(pipeline, team, platform)
        self.crm = crm
        self.integration = self.create_integration(config(crm))
        self.connect(self.integration)

    def create_integration(self, settings: dict[str, Any], **more: Any) -> str:
        body = {"name": "CRM", "type": "CUSTOM", "provider": "acme-crm", "config": settings, **more}
        answer = self.api(f"POST {INTEGRATIONS}", json=body)
        assert answer.status == 201, answer.text
        return str(answer.json()["id"])

    def connect(self, id: str, name: str = "default") -> Any:
        body = {"redirectUri": REDIRECT_URI, "connectionId": name}
        started = self.api(f"POST {INTEGRATIONS}/{id}/oauth/initiate", json=body)
        assert started.status == 200, started.text
        done = {"state": started.json()["state"], "code": "code-1"}
        answer = self.api(f"POST {INTEGRATIONS}/oauth/callback", json=done)
        assert answer.status == 200, answer.text
        return answer.json()

    def call(self, url: str = "/api/notes", method: str = "POST", **more: Any) -> dict[str, Any]:
        """A request step."""
        step = {"id": "call", "type": "request", "integrationId": self.integration}
        return {**step, "method": method, "url": url, **more}

    def refuse(self, *steps: dict[str, Any]) -> str:
        """Save a flow that is refused, and return the error messages."""
        answer = self.api(f"POST {FLOWS}", json={"name": "f", "trigger": TRIGGER, "steps": list(steps)})
        problem = assert_problem(answer, 422)
        return " ".join(error["message"] for error in problem["errors"])

    def go(self, *steps: dict[str, Any], data: Any = None, minutes: int = 0) -> Any:
        """Run a flow for one event, and return the run."""
        flow = self.create(*steps)
        event = self.pipeline.publish(data)
        self.settle()
        self.minutes(minutes)
        return self.run(flow, event)

    @property
    def sent(self) -> list[Request]:
        """The requests to the provider's API."""
        return [request for request in self.crm.requests if request.path.startswith("/api/")]


@pytest.fixture
def crm() -> Iterator[Provider]:
    with provider() as crm:
        yield crm


@pytest.fixture
def flows(pipeline: Pipeline, crm: Provider) -> Iterator[Requests]:
    with receiver() as team, receiver() as platform:
        yield Requests(pipeline, team, platform, crm)


def answers(crm: Provider, *steps: Any, path: str = "/api/notes") -> None:
    """Make the API respond according to a script."""
    crm.script(path, steps)


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────


def test_request_has_the_token_and_the_values(flows: Requests) -> None:
    answers(
        flows.crm, json_answer({"id": 7, "big": 12345678901234567890}, 201), path="/api/notes/p%201%3F%23"
    )
    step = flows.call(
        "/api/notes/{{event.data.postId}}",
        query={"tag": ["{{event.data.network}}", "x y"], "none": "{{event.data.nothing}}", "yes": True},
        headers={"X-Source": "{{event.data.network}} {{event.type}}", "X-None": "{{event.data.nothing}}"},
        body={"text": "{{event.data.text}}", "all": "{{event.data}}"},
    )
    after = flows.tell(id="tell", created="{{steps.call.output.body.id}}")
    run = flows.go(step, after, data={"postId": "p 1?#", "network": "x", "text": "Hi\r\nX-Evil: 1"})
    assert run["status"] == "SUCCEEDED", run
    (sent,) = flows.sent
    assert (sent.method, sent.path) == ("POST", "/api/notes/p%201%3F%23?tag=x&tag=x%20y&yes=true")
    assert sent.headers["authorization"] == f"Bearer {TOKEN}"
    assert (sent.headers["x-source"], sent.headers["content-type"]) == (
        "x POST_PUBLISHED",
        "application/json",
    )
    assert "x-evil" not in sent.headers
    assert "x-none" not in sent.headers
    assert sent.json()["text"] == "Hi\r\nX-Evil: 1"
    assert sent.json()["all"]["network"] == "x"
    assert sent.headers["idempotency-key"] == f"{run['id']}-call"
    shown = run["steps"][0]
    assert shown["input"]["url"] == "/api/notes/p%201%3F%23"
    assert shown["output"] == {
        "status": 201,
        "body": {"id": 7, "big": 12345678901234567890},
        "isTruncated": False,
    }
    assert flows.told[0]["data"] == {"created": 7}


def test_bodies_are_json_text_or_a_form(flows: Requests) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    steps = [
        flows.call(id="a", body=[1, "{{event.data.network}}"]),
        flows.call(id="b", body="plain {{event.data.network}}"),
        flows.call(id="c", body={"a": "1&2", "b": [True, None, "{{event.data.network}}"]}, headers=form),
        flows.call(id="d"),
        flows.call(id="e", method="GET"),
    ]
    answers(flows.crm, 204)
    run = flows.go(*steps, data={"network": "x"})
    assert run["status"] == "SUCCEEDED", run
    assert [request.body for request in flows.sent] == [
        b'[1,"x"]',
        b"plain x",
        b"a=1%262&b=true&b=x",
        b"",
        b"",
    ]
    assert [request.headers.get("content-length") for request in flows.sent[3:]] == ["0", None]
    assert "idempotency-key" not in flows.sent[4].headers
    assert run["steps"][0]["output"] == {"status": 204, "body": None, "isTruncated": False}


def test_credentials_go_where_the_api_expects_them(flows: Requests) -> None:
    api_url = f"{flows.crm.base}/api"

    def connection(settings: dict[str, Any], credentials: dict[str, str]) -> dict[str, str]:
        id = flows.create_integration(settings, provider=None)
        answer = flows.api(f"POST {INTEGRATIONS}/{id}/connections", json={"credentials": credentials})
        assert answer.status == 201, answer.text
        return {"integrationId": id}

    key, basic = {"apiKey": API_KEY}, {"username": "ada", "password": "pass-of-ada"}
    steps = [
        flows.call("/notes", id="a", **connection({"apiUrl": api_url}, key)),
        flows.call("/notes", id="b", **connection({"apiUrl": api_url, "apiKeyHeader": "X-Api-Key"}, key)),
        flows.call("/notes", id="c", **connection({"apiUrl": f"{api_url}/"}, basic)),
    ]
    answers(flows.crm, 204)
    assert flows.go(*steps)["status"] == "SUCCEEDED"
    bearer, own, password = (request.headers for request in flows.sent)
    assert bearer["authorization"] == f"Bearer {API_KEY}"
    assert (own["x-api-key"], "authorization" in own) == (API_KEY, False)
    assert password["authorization"] == "Basic YWRhOnBhc3Mtb2YtYWRh"
    assert "apiUrl" in flows.refuse(flows.call(**connection({}, key)))


def test_dry_run_shows_the_request_and_sends_nothing(flows: Requests) -> None:
    step = flows.call("/api/notes/{{event.data.postId}}", body={"no": "{{event.data.nothing}}"})
    answer = flows.api(
        f"POST {FLOWS}/dry-run", json={"trigger": TRIGGER, "steps": [step], "data": {"postId": "p 1"}}
    )
    (tried,) = answer.json()["steps"]
    assert tried["input"] == {"method": "POST", "url": "/api/notes/p%201", "body": {"no": None}}
    assert tried["missing"] == ["event.data.nothing"]
    assert flows.sent == []
    assert TOKEN not in answer.text


def test_uses_are_logged_and_count_for_the_integrations_limit(flows: Requests) -> None:
    answers(flows.crm, 204)
    path = f"{INTEGRATIONS}/{flows.integration}"
    assert flows.api(f"PUT {path}", json={"rateLimitPerHour": 1}).status == 200
    flow = flows.create(flows.call())
    events = [flows.pipeline.publish() for _ in range(2)]
    flows.settle()
    runs = sorted((flows.run(flow, event) for event in events), key=lambda run: str(run["status"]))
    assert [run["status"] for run in runs] == ["SUCCEEDED", "WAITING"]
    assert runs[1]["steps"][0]["error"]["code"] == "rate_limited"
    assert len(flows.sent) == 1
    log = flows.api(f"GET {path}/logs?action=request.sent").json()["items"]
    assert [(entry["actor"], entry["detail"]) for entry in log] == [
        (flow["id"], f"default: POST {flows.crm.base.removeprefix('http://')}")
    ]
    flows.minutes(150)
    assert flows.run(flow, events[1])["status"] == flows.run(flow, events[0])["status"] == "SUCCEEDED"


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────


def test_token_that_is_due_is_refreshed_before_the_request(flows: Requests) -> None:
    answers(flows.crm, 204)
    flow = flows.create(flows.call())
    flows.pipeline.clock.move(4_000)
    event = flows.pipeline.publish()
    flows.settle()
    assert flows.run(flow, event)["status"] == "SUCCEEDED"
    assert [request.headers["authorization"] for request in flows.sent] == ["Bearer access-2-7d1f"]


def test_refused_token_is_refreshed_once(flows: Requests) -> None:
    def check(request: Request) -> int:
        return 401 if request.headers["authorization"] == f"Bearer {TOKEN}" else 204

    answers(flows.crm, check)
    run = flows.go(flows.call())
    assert run["status"] == "SUCCEEDED"
    assert [request.headers["authorization"][-13:] for request in flows.sent] == [TOKEN, "access-2-7d1f"]
    assert len({request.headers["idempotency-key"] for request in flows.sent}) == 1


def test_token_that_is_refused_twice_fails_the_run(flows: Requests) -> None:
    answers(flows.crm, 401)
    run = flows.go(flows.call())
    assert (run["status"], run["statusReason"]) == ("FAILED", "provider_error")
    assert (len(flows.sent), len(flows.crm.token_requests)) == (2, 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("delete connection", "connection_deleted"),
        ("delete integration", "connection_deleted"),
        ("deactivate", "integration_inactive"),
        ("change client", "connection_expired"),
        ("change API", "connection_expired"),
        ("end grant", "connection_expired"),
    ],
)
def test_connection_that_cannot_be_used_fails_the_run(flows: Requests, change: str, reason: str) -> None:
    flow = flows.create(flows.call())
    path = f"{INTEGRATIONS}/{flows.integration}"
    match change:
        case "delete connection":
            assert flows.api(f"DELETE {path}/connections/default").status == 200
        case "delete integration":
            assert flows.api(f"DELETE {path}").status == 200
        case "deactivate":
            assert flows.api(f"PUT {path}/status", json={"status": "INACTIVE"}).status == 200
        case "change client":
            secret = {"clientId": "other", "clientSecret": "another-secret-1"}
            assert flows.api(f"PUT {path}", json={"config": secret}).status == 200
        case "change API":
            # A caller that can change the integration must not get the tokens of its existing connections.
            moved = {"apiUrl": "http://127.0.0.1:1024/", "clientSecret": "another-secret-1"}
            assert flows.api(f"PUT {path}", json={"config": moved}).status == 200
        case "end grant":
            flows.crm.script("/t", [json_answer({"error": "invalid_grant"}, 400)])
            flows.pipeline.clock.move(4_000)
    event = flows.pipeline.publish()
    flows.settle()
    run = flows.run(flow, event)
    assert (run["status"], run["statusReason"]) == ("FAILED", reason)
    assert flows.sent == []


def test_refresh_that_fails_is_tried_again(flows: Requests) -> None:
    answers(flows.crm, 204)
    flow = flows.create(flows.call())
    flows.crm.script("/t", [503, token_answer(9)])
    flows.pipeline.clock.move(4_000)
    event = flows.pipeline.publish()
    flows.settle()
    waiting = flows.run(flow, event)
    assert (waiting["status"], waiting["steps"][0]["error"]["code"]) == ("WAITING", "token_not_refreshed")
    flows.minutes(3)
    assert flows.run(flow, event)["status"] == "SUCCEEDED"


# ── responses ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_failure_that_passes_is_tried_again(flows: Requests, status: int) -> None:
    answers(flows.crm, Answer(status, {"retry-after": "100"}), status, json_answer({"ok": True}))
    flow = flows.create(flows.call())
    event = flows.pipeline.publish()
    flows.settle()
    run = flows.run(flow, event)
    assert (run["status"], run["step"], run["statusReason"]) == ("WAITING", "call", None)
    (waiting,) = run["steps"]
    assert (waiting["status"], waiting["error"]["code"]) == ("WAITING", "provider_error")
    assert f"HTTP {status}" in waiting["error"]["detail"]
    flows.minutes(1)
    assert len(flows.sent) == 1  # the provider asked for more time
    flows.minutes(3)
    run = flows.run(flow, event)
    assert (run["status"], run["steps"][0]["error"]) == ("SUCCEEDED", None)
    assert run["steps"][0]["startedAt"] == waiting["startedAt"]
    assert len({request.headers["idempotency-key"] for request in flows.sent}) == 1
    assert len(flows.sent) == 3


def test_tries_end(flows: Requests) -> None:
    answers(flows.crm, 503)
    run = flows.go(flows.call(), minutes=20)
    assert (run["status"], run["statusReason"]) == ("FAILED", "provider_error")
    assert len(flows.sent) == 5
    assert run["steps"][0]["output"]["status"] == 503


@pytest.mark.parametrize("status", [302, 400, 403, 404, 422, 500])
def test_other_failure_fails_the_run(flows: Requests, status: int) -> None:
    answers(flows.crm, json_answer({"message": f"No.\n{TOKEN}"}, status))
    run = flows.go(flows.call())
    assert (run["status"], run["statusReason"], run["step"]) == ("FAILED", "provider_error", "call")
    (step,) = run["steps"]
    assert f"HTTP {status}" in step["error"]["detail"]
    assert step["output"]["status"] == status
    assert TOKEN not in json.dumps(run)
    assert "\n" not in step["error"]["detail"]
    assert len(flows.sent) == 1


def test_redirect_is_not_followed(flows: Requests) -> None:
    with receiver() as thief:
        answers(flows.crm, Answer(307, {"location": thief.url}))
        run = flows.go(flows.call())
        assert thief.requests == []
    assert "redirect" in run["steps"][0]["error"]["detail"]


@pytest.mark.parametrize(
    ("method", "tries"), [("GET", 5), ("PUT", 5), ("DELETE", 5), ("POST", 1), ("PATCH", 1)]
)
def test_lost_response_repeats_only_what_may_be_repeated(flows: Requests, method: str, tries: int) -> None:
    answers(flows.crm, Answer(hang_up=True))
    run = flows.go(flows.call(method=method), minutes=20)
    assert (run["status"], run["statusReason"]) == ("FAILED", "no_response")
    assert len(flows.sent) == tries


def test_unreachable_api_is_tried_again(flows: Requests) -> None:
    id = flows.create_integration({"apiUrl": "http://127.0.0.1:1024"}, provider=None)
    body = {"credentials": {"apiKey": API_KEY}}
    assert flows.api(f"POST {INTEGRATIONS}/{id}/connections", json=body).status == 201
    run = flows.go(flows.call(integrationId=id), minutes=20)
    assert (run["status"], run["statusReason"]) == ("FAILED", "no_response")
    assert "attempt 5 of 5" in run["steps"][0]["error"]["detail"]


def test_slow_body_ends_at_the_deadline(flows: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_requests, "TOTAL_SECONDS", 0.3)
    answers(flows.crm, Answer(200, delay=2))
    run = flows.go(flows.call())
    assert (run["status"], run["statusReason"]) == ("FAILED", "no_response")


def test_slow_api_takes_few_workers_and_leaves_refreshes_alone(flows: Requests) -> None:
    answers(flows.crm, 204)
    store.mark_slow("acme", "requests", now_ms() + provider_calls.SLOW_FOR_MS)
    permits = [store.acquire_permit("acme", "requests", now_ms(), 30_000) for _ in range(4)]
    assert all(permits)
    flow = flows.create(flows.call())
    event = flows.pipeline.publish()
    flows.settle()
    run = flows.run(flow, event)
    assert (run["status"], run["steps"][0]["error"]["code"]) == ("WAITING", "providers_busy")
    assert flows.sent == []
    path = f"{INTEGRATIONS}/{flows.integration}"
    assert flows.api(f"POST {path}/oauth/refresh", json={}).status == 200
    flows.minutes(1)
    assert flows.run(flow, event)["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("body", "kept", "is_truncated"),
    [
        (b"", None, False),
        (b"not JSON", "not JSON", False),
        (b"\xef\xbb\xbf[1]", [1], False),
        (b"\xff\0", "\ufffd\ufffd", False),
        (b'{"a": NaN}', '{"a": NaN}', False),
        (b'"\\ud800"', '"\\ud800"', False),
        (b"[" * 50_000, "[" * 16_384, True),
        (b'"' + b"a" * 70_000 + b'"', '"' + "a" * 16_383, True),
    ],
)
def test_output_is_bounded(flows: Requests, body: bytes, kept: Any, is_truncated: bool) -> None:
    answers(flows.crm, Answer(200, body=body))
    (step,) = flows.go(flows.call())["steps"]
    assert step["output"] == {"status": 200, "body": kept, "isTruncated": is_truncated}


# ── attacks ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        lambda request: json.dumps({"headers": dict(request.headers), TOKEN: [TOKEN]}),
        lambda request: f"you sent {request.headers['authorization']}",
        lambda request: json.dumps({"access_token": "page-token-4711", "refreshToken": "other-token"}),
        lambda request: "access_token=page-token-4711&client_secret=other-token",
        lambda request: json.dumps({"text": '{"id_token": "page-token-4711"}'}),
        lambda request: "x" * (16_384 - 5) + TOKEN,
        lambda request: base64.b64encode(json.dumps(dict(request.headers)).encode()).decode(),
        lambda request: TOKEN.encode().hex(),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_response_shows_no_token(
    flows: Requests,
    body: Callable[[Request], str],
    status: int,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers(flows.crm, lambda request: Answer(status, body=body(request).encode()))
    run = flows.go(flows.call(), flows.tell(all="{{steps.call.output}}"))
    log = flows.api(f"GET {INTEGRATIONS}/{flows.integration}/logs?limit=100").text
    rows = json.dumps(flows.pipeline.backend.rows("FlowsTable"), default=str)
    seen = json.dumps([run, flows.told, rows, log, caplog.text, capsys.readouterr()])
    for secret in (TOKEN, TOKEN.encode().hex(), "QmVhcmVy", "page-token-4711", "other-token", 'acces"'):
        assert secret not in seen
    assert "****" in json.dumps(run)


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example/x",
        "https://evil.example/x",
        "http://evil.example/x",
        "{base}@evil.example/x",
        "{base}.evil.example/x",
        "https://evil.example\\@{host}/x",
        "https://user:pass@{host}/x",
        "{base}:443/x",
        "https://{host}/x",
        "HTTP://{host}/x",
        "{base}\\x",
        "/\\evil.example/x",
        "/a/../../x",
        "/a/%2e%2E/x",
        "/a/.%2e/x",
        "/a%2f..%2fx",
        "/a%5c..%5cx",
        "/a//x",
        "/a/%zz",
        "/a b",
        "/a?x=1",
        "/a#x",
        "/a\r\nHost: evil.example",
        "/a\0",
        "/ä",
        "https://еvil.example/x",
        "https://[::1]/x",
        "https://169.254.169.254/x",
        "https://{{event.data.host}}/x",
        "{{event.data.url}}",
        "{base}{{event.data.rest}}",
        "https://{host}.{{event.data.rest}}/x",
        "ftp://{host}/x",
        "x",
        "",
    ],
)
def test_url_elsewhere_is_refused(flows: Requests, url: str) -> None:
    base = flows.crm.base
    url = url.replace("{base}", base).replace("{host}", base.removeprefix("http://"))
    assert flows.refuse(flows.call(url))
    step = flows.call(url)
    dry = flows.api(f"POST {FLOWS}/dry-run", json={"trigger": TRIGGER, "steps": [step]})
    assert dry.status == 422 or flows.sent == []


def test_whole_url_at_the_apis_own_host_is_accepted(flows: Requests) -> None:
    answers(flows.crm, 204)
    assert flows.go(flows.call(f"{flows.crm.base}/api/notes"))["status"] == "SUCCEEDED"


@pytest.mark.parametrize("value", ["..", ".", "a/b", "a\\b", "/", "", None, {"a": 1}, ["a"], "../../admin"])
def test_value_does_not_leave_its_segment(flows: Requests, value: Any) -> None:
    run = flows.go(flows.call("/api/notes/{{event.data.x}}"), data={"x": value})
    assert (run["status"], run["statusReason"]) == ("FAILED", "invalid_input")
    assert flows.sent == []


def test_values_together_do_not_leave_their_segment(flows: Requests) -> None:
    run = flows.go(flows.call("/api/notes/{{event.data.x}}{{event.data.x}}/x"), data={"x": "."})
    assert run["statusReason"] == "invalid_input"
    assert flows.sent == []


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0", "ä", "x" * 1_025])
def test_value_adds_no_header(flows: Requests, value: str) -> None:
    run = flows.go(flows.call(headers={"X-Note": "{{event.data.x}}"}), data={"x": value})
    assert (run["status"], run["statusReason"]) == ("FAILED", "invalid_input")
    assert flows.sent == []


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "x-shopify-access-token", "Host"),
        *("Content-Length", "Transfer-Encoding", "Connection", "Idempotency-Key", "X Y", "X:Y", "X\r\nY", ""),
        *("User-Agent", "Upgrade", "TE", "Api-Token", "X-Auth"),
    ],
)
def test_header_that_is_not_the_authors_is_refused(flows: Requests, name: str) -> None:
    assert flows.refuse(flows.call(headers={name: "x"}))


def test_other_workspaces_connection_does_not_exist(flows: Requests) -> None:
    claims = {"exp": flows.pipeline.clock.now // 1000 + 600}
    stranger = jwt_for("globex", claims=claims)
    body = {"name": "f", "trigger": TRIGGER, "steps": [flows.call()]}
    answer = flows.pipeline._api(f"POST {FLOWS}", token=stranger, json=body)
    assert "there is no connection" in assert_problem(answer, 422)["detail"]


def test_step_needs_the_scope_of_its_own_that_owners_have(flows: Requests) -> None:
    body = {"name": "f", "trigger": TRIGGER, "steps": [flows.call()]}
    for role in ("member", "admin"):
        refused = flows.pipeline.api(f"POST {FLOWS}", role, json=body)
        assert "credentials:use" in assert_problem(refused, 403)["detail"]
    flow = flows.create(flows.call())
    assert flow["scopes"] == ["credentials:use"]
    path = f"{FLOWS}/{flow['id']}"
    changed = {"steps": [flows.call("/api/other")]}
    assert_problem(flows.pipeline.api(f"PUT {path}", "admin", json=changed), 403)


def test_private_address_is_refused_when_it_is_dialed(
    flows: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hostname can resolve to a public address when the integration is saved, and to another one later."""
    flow = flows.create(flows.call())
    monkeypatch.setenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS", "false")
    from patchbay import settings

    settings.settings.cache_clear()
    event = flows.pipeline.publish()
    flows.settle()
    run = flows.run(flow, event)
    monkeypatch.undo()
    settings.settings.cache_clear()
    assert (run["status"], run["statusReason"]) == ("FAILED", "invalid_input")
    assert flows.sent == []


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────


def test_crash_before_the_record_sends_the_request_again_with_the_same_key(flows: Requests) -> None:
    answers(flows.crm, json_answer({"id": 1}))
    flow = flows.create(flows.call())
    event = flows.pipeline.publish()
    with killed("dynamodb.PutItem", at=3):  # 1: the claim, 2: the log, 3: the record
        flows.queue.poll()
    assert len(flows.sent) == 1
    assert flows.run(flow, event)["status"] == "RUNNING"
    flows.minutes(10)
    assert flows.run(flow, event)["status"] == "SUCCEEDED"
    first, second = (request.headers["idempotency-key"] for request in flows.sent)
    assert first == second


def test_flow_that_is_switched_off_sends_nothing_more(flows: Requests) -> None:
    answers(flows.crm, 503)
    flow = flows.create(flows.call())
    event = flows.pipeline.publish()
    flows.settle()
    assert flows.api(f"PUT {FLOWS}/{flow['id']}/status", json={"status": "INACTIVE"}).status == 200
    flows.minutes(5)
    assert (flows.run(flow, event)["status"], len(flows.sent)) == ("CANCELLED", 1)


def test_erased_event_takes_the_request_and_its_response(flows: Requests) -> None:
    answers(flows.crm, json_answer({"person": "Ada"}))
    flow = flows.create(flows.call(body={"name": "{{event.data.text}}"}))
    event = flows.pipeline.publish({"text": "Lovelace"})
    flows.settle()
    assert flows.api(f"DELETE /api/events/{event}/data").status == 200
    run = flows.run(flow, event)
    assert run["steps"][0]["input"] is None
    assert run["steps"][0]["output"] is None
    assert "Lovelace" not in json.dumps(flows.pipeline.backend.rows("FlowsTable"), default=str)


def test_late_messages_of_a_batch_wait_for_the_next_worker(flows: Requests) -> None:
    from types import SimpleNamespace

    answers(flows.crm, 204)
    flows.create(flows.call())
    for _ in range(3):
        flows.pipeline.publish()
    records = flows.queue.receive()
    remaining = iter([60_000, 30_000, 20_000])
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: next(remaining))
    assert len(flows.queue.invoke(records, context)) == 2
    assert len(flows.sent) == 1
    flows.minutes(1)
    assert len(flows.sent) == 3


@pytest.mark.parametrize("depth", [33, 600, 20_000])
def test_deeply_nested_response_is_text(flows: Requests, depth: int) -> None:
    """Code that recurses into every level would fail after the request is sent, and so send it again."""
    answers(flows.crm, Answer(200, body=b"[" * depth + b"]" * depth))
    run = flows.go(flows.call(), minutes=10)
    assert (run["status"], len(flows.sent)) == ("SUCCEEDED", 1)
    assert run["steps"][0]["output"]["body"].startswith("[[[")


def test_failure_that_does_not_fit_into_the_runs_row_is_recorded_without_its_values(flows: Requests) -> None:
    answers(flows.crm, Answer(200, body=json.dumps("a" * 62_000).encode()), path="/api/big")
    answers(flows.crm, Answer(400, body=json.dumps("a" * 65_000).encode()))
    gets = [flows.call("/api/big", "GET", id=f"g{number}") for number in range(4)]
    last = flows.call(body={"all": "{{steps.g0.output.body}}"})
    never = flows.call(id="never", body="p" * 50_000)
    run = flows.go(*gets, last, never, minutes=20)
    assert (run["status"], run["statusReason"]) == ("FAILED", "provider_error")
    assert len(flows.sent) == 5
    assert run["steps"][4]["output"] is None


def test_steps_are_limited_in_bytes(flows: Requests) -> None:
    assert "bytes as JSON" in flows.refuse(flows.call(body="漢" * 30_000))


def test_request_that_waits_for_its_turn_uses_no_limit_up(flows: Requests) -> None:
    id = flows.create_integration(config(flows.crm), rateLimitPerHour=4)
    flows.connect(id)
    store.mark_slow("acme", "requests", now_ms() + provider_calls.SLOW_FOR_MS)
    permits = [store.acquire_permit("acme", "requests", now_ms(), 3_600_000) for _ in range(4)]
    assert all(permits)
    flows.go(flows.call() | {"integrationId": id}, minutes=4)
    assert flows.sent == []
    assert flows.api(f"GET {INTEGRATIONS}/{id}/connections/default/token").status == 200


@pytest.mark.parametrize(
    "body",
    [
        "<a><access_token>page-token-4711</access_token></a>",
        json.dumps({"access_token": ["page-token-4711"]}),
        json.dumps({"access_token": {"value": "page-token-4711"}}),
        json.dumps({"a": json.dumps({"b": json.dumps({"access_token": "page-token-4711"})})}),
        "access.token: page-token-4711",
        json.dumps({"access token": "page-token-4711"}),
    ],
)
def test_tokens_of_the_response_are_masked_in_any_spelling(flows: Requests, body: str) -> None:
    answers(flows.crm, Answer(200, body=body.encode()))
    assert "page-token-4711" not in json.dumps(flows.go(flows.call()))


def test_flow_acts_for_the_user_who_switches_it_on(flows: Requests) -> None:
    flow = flows.create(flows.call())
    path = f"PUT {FLOWS}/{flow['id']}/status"
    assert flows.api(path, json={"status": "INACTIVE"}).json()["savedBy"] == flow["savedBy"]
    second = jwt_for("acme", role="owner", claims={"sub": "second-owner"})
    answer = flows.pipeline._api(path, token=second, json={"status": "ACTIVE"})
    assert answer.json()["savedBy"] == "user:second-owner"
