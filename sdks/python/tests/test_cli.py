"""The command line, against a scripted API: what it sends and prints, and its exit codes."""

from __future__ import annotations

import base64
import io
import json
import stat
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks
from rich.console import Console

from patchbay_sdk import models
from patchbay_sdk.cli import output, profile
from patchbay_sdk.cli.app import run
from patchbay_sdk.cli.commands import listen
from patchbay_sdk.cli.output import Exit, ago
from patchbay_sdk.cli.parse import equals_filter, parse_time

WEBHOOK: dict[str, Any] = {
    "id": "whk_0355200000000000000001",
    "kind": "push",
    "name": "Posts [eu]",
    "url": "https://receiver.example/hook",
    "eventTypes": ["POST_PUBLISHED", "POST_FAILED"],
    "filters": [{"path": "network", "op": "equals", "value": "linkedin"}],
    "integrationId": None,
    "source": "api",
    "headers": {"Authorization": "•••"},
    "retryConfig": {"maxRetries": 3, "backoffMultiplier": 2.0, "initialDelaySeconds": 30},
    "rateLimitPerSecond": None,
    "disableAfter": 20,
    "status": "ACTIVE",
    "statusReason": None,
    "createdAt": "2026-11-27T09:29:59.123Z",
    "updatedAt": "2026-11-27T09:29:59.123Z",
    "createdBy": "user:me",
    "version": 4,
}
FEED = {**WEBHOOK, "id": "whk_0355200000000000000002", "kind": "pull", "name": "Feed", "url": None, "headers": {}}
KEY = {
    "id": "key_0355200000000000000001",
    "name": "Publisher",
    "maskedKey": "sk_test_UzG9…",
    "scopes": ["events:publish"],
    "status": "ACTIVE",
    "rateLimitPerHour": 100,
    "rateLimitPerDay": 1000,
    "expiresAt": None,
    "lastUsedAt": None,
    "usage": {"total": 0, "today": 0, "daily": None},
    "createdBy": "user:me",
    "rotatedFrom": None,
    "createdAt": "2026-11-27T09:29:59.000Z",
    "updatedAt": "2026-11-27T09:29:59.000Z",
    "version": 2,
}
ME = {"workspaceId": "acme", "id": "user:me", "type": "user", "role": "owner", "scopes": ["events:read"], "key": None}
HOOKS, KEYS = "/api/integrations/webhooks", "/api/integrations/api-keys"
SAMPLE = {"type": "POST_PUBLISHED", "kind": "publishable", "description": "D", "sample": {"postId": "p"}, "schema": {}}


def page(*items: object) -> dict[str, object]:
    return {"items": list(items), "nextCursor": None}


class Api:
    """Answers by method and path, and remembers the requests. An answer is a body, a status with one, or an error."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.requests: list[tuple[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        line = f"{request.method} {request.url.path}"
        self.requests.append((line, json.loads(request.content) if request.content else dict(request.url.params)))
        answer = self.answers.get(line, (404, problem("not_found", 404)))
        if isinstance(answer, type):
            raise answer("scripted")
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return httpx.Response(status, json=body)


def problem(code: str, status: int, **more: object) -> dict[str, object]:
    return {"title": "A title", "status": status, "detail": "Do [this].", "code": code, "requestId": "req-1", **more}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Api:
    api = Api()
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda _, request: api(request))
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setenv("PATCHBAY_CONFIG", str(tmp_path / "config" / "credentials.json"))
    monkeypatch.setenv("PATCHBAY_URL", "https://patchbay.example")
    monkeypatch.setenv("PATCHBAY_API_KEY", "sk_test_x")
    monkeypatch.chdir(tmp_path)
    return api


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


Patchbay = Callable[..., tuple[int, str, str]]


@pytest.fixture
def patchbay(api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Patchbay:
    """`patchbay("webhooks", "list")` returns the exit code, standard output and standard error."""

    def call(*arguments: str, stdin: str = "", is_terminal: bool = False) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["patchbay", *arguments])
        monkeypatch.setattr(sys, "stdin", (Terminal if is_terminal else io.TextIOWrapper)(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as end:
            run()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return call


# ── output ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_pipe_gets_a_line_for_each_item_without_colors(api: Api, patchbay: Patchbay) -> None:
    api.answers[f"GET {HOOKS}"] = page(WEBHOOK, FEED)
    code, out, _ = patchbay("webhooks", "list")
    header, first, second = out.splitlines()
    assert (code, header.split()) == (0, ["ID", "NAME", "STATUS", "EVENT", "TYPES", "RECEIVER", "CREATED"])
    assert "Posts [eu]  ACTIVE  POST_PUBLISHED, POST_FAILED  https://receiver.example/hook" in first
    assert "reads its feed" in second
    assert "\x1b" not in out
    assert not any(line.endswith(" ") for line in out.splitlines())


@pytest.mark.parametrize("arguments", [("--json", "webhooks", "list"), ("webhooks", "list", "--json")])
def test_json_is_what_the_api_answered(api: Api, patchbay: Patchbay, arguments: tuple[str, ...]) -> None:
    api.answers[f"GET {HOOKS}"] = page(WEBHOOK, FEED)
    code, out, err = patchbay(*arguments)
    assert [json.loads(line) for line in out.splitlines()] == [WEBHOOK, FEED]
    assert (code, err) == (0, "")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_table_fits_the_terminal_and_keeps_ids_whole(
    api: Api, patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    api.answers[f"GET {KEYS}"] = page(KEY)
    monkeypatch.setattr(output, "console", Console(force_terminal=True, width=width, color_system=None))
    _, out, _ = patchbay("keys", "list")
    assert max(map(len, out.splitlines())) <= width
    assert str(KEY["id"]) in out
    assert "ACTIVE" in out
    assert ("sk_test_UzG9…" in out) == (width > 60)
    assert "EXPIRES" not in out, "a column without values is left out"


def test_a_terminal_that_is_too_narrow_for_a_table_gets_lines_for_each_item(
    api: Api, patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.answers[f"GET {HOOKS}"] = page(WEBHOOK, FEED)
    monkeypatch.setattr(output, "console", Console(force_terminal=True, width=40, color_system=None))
    lines = patchbay("webhooks", "list")[1].splitlines()
    assert lines[:3] == [WEBHOOK["id"], "  Posts [eu]  ACTIVE", "  POST_PUBLISHED, POST_FAILED"]
    assert FEED["id"] in lines


def test_help_has_names_instead_of_types(patchbay: Patchbay) -> None:
    code, out, _ = patchbay("deliveries", "replay", "--help")
    assert code == 0
    assert "SINCE" in out
    assert "<" not in out


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_a_receiver_answered_does_not_control_the_terminal(
    api: Api, patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    attempt = {"number": 1, "trigger": "AUTO", "startedAt": "2026-11-27T09:29:59.123Z", "durationMs": 5,
               "statusCode": 500, "error": None, "requestHeaders": {}, "responseHeaders": {},
               "responseBody": "\x1b]0;owned\x07\x1b[2J \x9b31mred", "withheld": None, "truncated": False}  # fmt: skip
    api.answers[f"GET {HOOKS}/whk_1/deliveries/dlv_1"] = {
        "id": "dlv_1", "webhookId": "whk_1", "eventId": "evt_1", "eventType": "POST_PUBLISHED", "status": "FAILED",
        "statusReason": "exhausted", "nextAttemptAt": None, "deliveredAt": None, "attempts": [attempt],
    }  # fmt: skip
    monkeypatch.setattr(output, "console", Console(force_terminal=is_terminal, width=120, color_system=None))
    _, out, _ = patchbay("deliveries", "show", "whk_1", "dlv_1")
    assert "red" in out
    assert not set(out) & set("\x1b\x07\x9b")


def test_an_empty_list_says_what_to_do(api: Api, patchbay: Patchbay) -> None:
    api.answers[f"GET {KEYS}"] = page()
    code, out, err = patchbay("keys", "list")
    assert (code, out) == (0, "")
    assert "patchbay keys create NAME" in err


def test_times_are_said_as_people_say_them() -> None:
    now = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
    said = [ago(now - timedelta(seconds=seconds), now) for seconds in (5, 600, 7_200, 200_000, -7_200)]
    assert said == ["5 s ago", "10 min ago", "2 h ago", "2 days ago", "in 2 h"]
    assert ago(now - timedelta(days=30), now).startswith("2026-10-2")


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────

FAILURES: list[tuple[Any, Exit, str]] = [
    ((401, problem("unauthenticated", 401)), Exit.UNAUTHENTICATED, "✗ A title: Do [this].\n  401 unauthenticated"),
    ((403, problem("forbidden", 403)), Exit.UNAUTHENTICATED, "403 forbidden, request req-1"),
    ((404, problem("not_found", 404)), Exit.NOT_FOUND, "404 not_found"),
    ((409, problem("conflict", 409)), Exit.FAILED, "409 conflict"),
    ((500, problem("internal", 500)), Exit.FAILED, "500 internal"),
    (httpx.ConnectError, Exit.UNREACHABLE, "No response from https://patchbay.example"),
]


@pytest.mark.parametrize(("answer", "code", "text"), FAILURES, ids=[case[1].name + case[2][:4] for case in FAILURES])
def test_exit_codes_say_what_failed(api: Api, patchbay: Patchbay, answer: Any, code: Exit, text: str) -> None:
    api.answers[f"GET {HOOKS}/whk_1"] = answer
    result, out, err = patchbay("webhooks", "show", "whk_1")
    assert (result, out) == (code, "")
    assert text in err


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        ((401, problem("unauthenticated", 401)), "patchbay login"),
        ((403, problem("forbidden", 403)), "patchbay whoami"),
        ((404, problem("not_found", 404)), "To see the IDs, run: patchbay webhooks list"),
        (httpx.ConnectError, "Check the address"),
    ],
)
def test_errors_say_what_to_do(api: Api, patchbay: Patchbay, answer: Any, advice: str) -> None:
    api.answers[f"GET {HOOKS}/whk_1"] = answer
    assert advice in patchbay("webhooks", "show", "whk_1")[2].splitlines()[-1]


def test_a_delivered_one_is_sent_again_with_force(api: Api, patchbay: Patchbay) -> None:
    api.answers[f"POST {HOOKS}/whk_1/deliveries/dlv_1/retry"] = (409, problem("conflict", 409))
    code, _, err = patchbay("deliveries", "retry", "whk_1", "dlv_1")
    assert (code, "pass --force" in err) == (1, True)
    assert "--force" not in patchbay("deliveries", "retry", "whk_1", "dlv_1", "--force")[2]


def test_field_errors_are_listed(api: Api, patchbay: Patchbay) -> None:
    errors = [{"path": "url", "message": "is bad"}, {"path": "name", "message": "is missing"}]
    api.answers[f"POST {HOOKS}"] = (422, problem("validation_failed", 422, errors=errors))
    code, _, err = patchbay("webhooks", "create", "Posts", "https://x.example", "-t", "*")
    assert (code, err) == (
        1,
        "✗ A title:\n  url: is bad\n  name: is missing\n  422 validation_failed, request req-1\n",
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("deliveries", "list", "--since", "yesterday"), "'yesterday' is not a time."),
        (("events", "publish", "T", "{"), "The data is not valid JSON"),
        (("events", "publish", "T", "[]"), "must be a JSON object"),
        (("events", "publish", "T", "@nowhere.json"), "nowhere.json: No such file or directory"),
        (("webhooks", "create", "N", "https://x.example", "-t", "*", "--pull"), "either the receiver's URL or --pull"),
        (("webhooks", "create", "N", "https://x.example", "-t", "*", "--filter", "x"), "write PATH=VALUE"),
        (("listen", "localhost:3000"), "is not a URL"),
        (("verify", "-", "-H", "webhook-id"), "write NAME: VALUE"),
        (("verify", "-", "-H", "Webhook-Id: dlv_1"), "Pass the request's webhook-timestamp and webhook-signature"),
        (("--url", "localhost:8787", "whoami"), "it must start with https:// or"),
        (("webhooks", "list", "--nope"), "No such option"),
    ],
)
def test_wrong_arguments_are_explained(
    patchbay: Patchbay, api: Api, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], text: str
) -> None:
    monkeypatch.setenv("PATCHBAY_SECRET", "whsec_" + "QUJD" * 8)
    code, out, err = patchbay(*arguments)
    assert (code, out) == (2, "")
    assert text in err
    assert api.requests == []


def test_a_question_without_a_terminal_is_answered_with_no(api: Api, patchbay: Patchbay) -> None:
    api.answers[f"GET {HOOKS}/whk_1"] = WEBHOOK
    code, _, err = patchbay("webhooks", "delete", "whk_1", stdin="y\n")
    assert (code, len(api.requests)) == (1, 1)
    assert "Pass --yes" in err
    api.answers[f"DELETE {HOOKS}/whk_1"] = {}
    assert patchbay("webhooks", "delete", "whk_1", "--yes")[0] == 0


@pytest.mark.parametrize(("stdin", "code"), [("n\n", 1), ("", 1), ("y\n", 0)])
def test_a_question_in_a_terminal_is_answered_there(api: Api, patchbay: Patchbay, stdin: str, code: int) -> None:
    api.answers |= {f"GET {HOOKS}/whk_1": WEBHOOK, f"DELETE {HOOKS}/whk_1": {}}
    result, _, err = patchbay("webhooks", "delete", "whk_1", stdin=stdin, is_terminal=True)
    assert (result, len(api.requests)) == (code, 2 - code)
    assert "--yes" not in err
    assert err.endswith("Nothing changed.\n" if code else "Deleted whk_1.\n")


# ── account ──────────────────────────────────────────────────────────────────────────────────────────


def test_login_stores_the_key_for_its_owner_only(api: Api, patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch) -> None:
    api.answers["GET /api/me"] = ME
    monkeypatch.delenv("PATCHBAY_API_KEY")
    monkeypatch.delenv("PATCHBAY_URL")
    code, _, err = patchbay("whoami")
    assert code == Exit.UNAUTHENTICATED
    assert "patchbay login" in err

    assert patchbay("--url", "https://patchbay.example", "login", stdin="sk_test_secret\n")[0] == 0
    file = profile.path()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "sk_test_secret" not in repr(profile.load())
    _, out, _ = patchbay("whoami")
    assert "acme" in out

    secret = profile.listen_secret()
    assert patchbay("logout")[0] == 0
    assert patchbay("whoami")[0] == Exit.UNAUTHENTICATED
    assert profile.listen_secret() == secret, "receivers on this machine keep their configuration"


def test_login_without_a_key_does_not_use_that_of_the_environment(api: Api, patchbay: Patchbay) -> None:
    api.answers["GET /api/me"] = ME
    code, _, err = patchbay("login", stdin="\n")
    assert (code, profile.path().exists()) == (2, False)
    assert "No key" in err


def test_login_with_a_wrong_key_stores_nothing(api: Api, patchbay: Patchbay) -> None:
    api.answers["GET /api/me"] = (401, problem("unauthenticated", 401))
    assert patchbay("login", stdin="sk_test_wrong\n")[0] == Exit.UNAUTHENTICATED
    assert not profile.path().exists()


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────


def test_trigger_publishes_the_sample_with_changes(api: Api, patchbay: Patchbay) -> None:
    api.answers[f"GET {HOOKS}/event-types"] = {"items": [SAMPLE], "nextCursor": None}
    api.answers["POST /api/events"] = (
        202,
        {"id": "evt_1", "type": "POST_PUBLISHED", "timestamp": "2026-11-27T09:30:00.000Z"},
    )
    code, out, err = patchbay("trigger", "POST_PUBLISHED", "--set", "media.count=3", "--set", "text=Hé", "--json")
    assert code == 0
    assert json.loads(out)["id"] == "evt_1"
    assert api.requests[-1][1]["data"] == {"postId": "p", "media": {"count": 3}, "text": "Hé"}
    code, _, err = patchbay("trigger", "POST_PUBLISHD")
    assert (code, "did you mean POST_PUBLISHED?" in err) == (2, True)


def test_replay_follows_its_task(api: Api, patchbay: Patchbay) -> None:
    task = {
        "id": "tsk_1",
        "type": "webhook.replay",
        "status": "RUNNING",
        "webhookId": "whk_1",
        "parameters": {},
        "done": 0,
        "total": 7,
        "step": None,
        "file": None,
        "error": None,
        "createdBy": "user:me",
        "createdAt": "2026-11-27T09:30:00.000Z",
        "updatedAt": "2026-11-27T09:30:00.000Z",
        "endedAt": None,
        "version": 1,
    }
    api.answers[f"POST {HOOKS}/whk_1/replay"] = (202, {**task, "type": "a later release's"})
    api.answers["GET /api/tasks/tsk_1"] = {**task, "status": "SUCCEEDED", "done": 7}
    code, out, _ = patchbay("deliveries", "replay", "whk_1", "--since", "2026-11-27T09:00Z", "-s", "failed")
    assert api.requests[0][1]["since"] == "2026-11-27T09:00:00Z"
    assert api.requests[0][1]["statuses"] == ["FAILED"]
    assert code == 0
    assert out.split() == ["Task", "tsk_1", "Status", "SUCCEEDED", "Sent", "7"]
    code, out, _ = patchbay("deliveries", "replay", "whk_1", "--since", "1h", "--no-wait")
    assert (code, "RUNNING" in out) == (0, True)
    error = {"code": "internal", "detail": "It broke."}
    api.answers["GET /api/tasks/tsk_1"] = {**task, "status": "FAILED", "error": error}
    assert patchbay("deliveries", "replay", "whk_1", "--since", "1h")[0] == 1


def test_verify_checks_a_signature(patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "whsec_" + base64.b64encode(b"a signing secret of 32 bytes....").decode()
    body = json.dumps(
        {"id": "evt_1", "type": "POST_PUBLISHED", "timestamp": "2026-11-27T09:30:00Z", "data": {"postId": "p"}}
    )
    now = datetime.now(timezone.utc)
    signature = standardwebhooks.Webhook(secret).sign("dlv_1", now, body)
    headers = ["-H", "Webhook-Id: dlv_1", "-H", f"Webhook-Timestamp: {int(now.timestamp())}"]
    headers += ["-H", f"Webhook-Signature: {signature}"]
    monkeypatch.setenv("PATCHBAY_SECRET", secret)
    assert patchbay("verify", "-", *headers, stdin=body)[0] == 0
    code, _, err = patchbay("verify", "-", *headers, stdin=body + "\n")
    assert code == 1
    assert "Not signed with this secret" in err
    assert "ends with a line break" in err

    then = now - timedelta(hours=3)
    headers[3] = f"Webhook-Timestamp: {int(then.timestamp())}"
    assert patchbay("verify", "-", *headers, stdin=body)[0] == 1
    headers[5] = f"Webhook-Signature: {standardwebhooks.Webhook(secret).sign('dlv_1', then, body)}"
    code, out, err = patchbay("verify", "-", *headers, stdin=body)
    assert (code, "evt_1" in out, "It was made 3 h ago" in err) == (0, True, True)


def test_verify_without_a_secret_and_a_terminal_says_how_to_pass_one(patchbay: Patchbay) -> None:
    code, _, err = patchbay("verify", "-", "-H", "webhook-id: dlv_1")
    assert (code, "set PATCHBAY_SECRET" in err) == (2, True)


@pytest.mark.parametrize("name", ["default", "con_0355200000000000000001"])
def test_a_connection_is_refreshed_by_its_name_or_id(api: Api, patchbay: Patchbay, name: str) -> None:
    connection = {"id": "con_0355200000000000000001", "connectionId": "default", "status": "ACTIVE"}
    api.answers["POST /api/integrations/int_1/oauth/refresh"] = {**connection, "expiresAt": None}
    assert patchbay("connections", "refresh", "int_1", name, "--json")[0] == 0
    assert api.requests[-1][1] == {"connectionId": name}


def test_times_and_filters_as_people_write_them() -> None:
    now = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
    assert parse_time("90m", now) == now - timedelta(minutes=90)
    assert parse_time(" 7d ", now) == now - timedelta(days=7)
    assert parse_time("7d", now, ahead=True) == now + timedelta(days=7)
    assert parse_time("2026-11-27T09:30Z") == datetime(2026, 11, 27, 9, 30, tzinfo=timezone.utc)
    assert parse_time("2026-11-27").tzinfo is not None
    for wrong in ("", "soon", "5 weeks", "-1h", "2026-13-01"):
        with pytest.raises(ValueError, match="is not a time"):
            parse_time(wrong)
    assert equals_filter("a.b=x=y") == {"path": "a.b", "op": "equals", "value": "x=y"}
    assert equals_filter("count=3")["value"] == 3


# ── ensure ───────────────────────────────────────────────────────────────────────────────────────────


def declare(text: str) -> None:
    Path("patchbay.toml").write_text(text)


SAME = """
[[webhooks]]
name = "Posts [eu]"
url = "https://receiver.example/hook"
eventTypes = ["POST_FAILED", "POST_PUBLISHED"]
headers = { Authorization = "Bearer ${RECEIVER_TOKEN}" }
retryConfig = { maxRetries = 3 }
"""


@pytest.fixture
def declared(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    api.answers[f"GET {HOOKS}"] = page(FEED, WEBHOOK)
    api.answers[f"GET {KEYS}"] = page({**KEY, "id": "key_old", "status": "REVOKED"}, KEY)
    api.answers[f"PUT {HOOKS}/{WEBHOOK['id']}"] = WEBHOOK
    monkeypatch.setenv("RECEIVER_TOKEN", "s3cret")
    declare(SAME)
    return api


def test_ensure_finds_no_difference(declared: Api, patchbay: Patchbay) -> None:
    assert patchbay("ensure", "--check") == (0, "", "✓ Everything already matches patchbay.toml.\n")


def test_ensure_shows_and_applies_only_what_differs(declared: Api, patchbay: Patchbay) -> None:
    declare(SAME.replace("maxRetries = 3", "maxRetries = 5").replace("/hook", "/new"))
    shown = (
        f"~ webhook Posts [eu] {WEBHOOK['id']}\n"
        "    url: https://receiver.example/hook → https://receiver.example/new\n"
        "    retryConfig.maxRetries: 3 → 5\n"
    )
    assert patchbay("ensure", "--check")[:2] == (Exit.DIFFERENT, shown)
    code, out, err = patchbay("ensure")
    assert (code, out) == (1, shown)
    assert "Nothing changed." in err
    code, out, err = patchbay("ensure", "--yes")
    assert (code, out, err) == (0, shown, "✓ Changed the webhook Posts [eu].\n")
    [(line, body)] = [request for request in declared.requests if request[0].startswith("PUT")]
    assert line == f"PUT {HOOKS}/{WEBHOOK['id']}"
    assert body == {"url": "https://receiver.example/new", "retryConfig": {**WEBHOOK["retryConfig"], "maxRetries": 5}}


def test_ensure_compares_lists_of_objects_and_times(declared: Api, patchbay: Patchbay) -> None:
    declared.answers[f"GET {KEYS}"] = page({**KEY, "expiresAt": "2027-01-31T00:00:00.000Z"})
    declared.answers[f"GET {HOOKS}"] = page({**WEBHOOK, "filters": [{"path": "a", "op": "exists", "value": True}] * 2})
    times = ("2027-01-31T00:00:00Z", "2027-01-31T01:00:00+01:00")
    for time in times:
        declare(f"[[keys]]\nname = '{KEY['name']}'\nexpiresAt = {time}")
        assert patchbay("ensure", "--check")[0] == 0
    declare(f"[[keys]]\nname = '{KEY['name']}'\nexpiresAt = 2027-02-28")
    assert patchbay("ensure", "--check")[0] == Exit.DIFFERENT
    declare(SAME + "filters = []")
    code, out, _ = patchbay("ensure", "--check")
    assert code == Exit.DIFFERENT
    assert "filters: " in out


def test_ensure_never_shows_the_values_of_headers(declared: Api, patchbay: Patchbay) -> None:
    code, out, _ = patchbay("ensure", "--headers", "--yes")
    assert (code, out) == (0, f"~ webhook Posts [eu] {WEBHOOK['id']}\n    headers: Authorization, sent again\n")
    assert declared.requests[-1][1] == {"headers": {"Authorization": "Bearer s3cret"}}
    declare(SAME.replace("Authorization", "X-Token"))
    _, out, _ = patchbay("ensure", "--check")
    assert "headers: Authorization → X-Token" in out
    assert "s3cret" not in out


def test_ensure_creates_what_is_missing_and_shows_its_secret_once(declared: Api, patchbay: Patchbay) -> None:
    declare('[[keys]]\nname = "New"\nscopes = ["events:publish"]\nexpiresAt = 2027-06-30T00:00:00Z\n')
    created = {**KEY, "id": "key_new", "name": "New", "key": "sk_test_once"}
    declared.answers[f"POST {KEYS}"] = (201, created)
    code, out, _ = patchbay("ensure", "-y", "--json")
    difference, result = map(json.loads, out.splitlines())
    assert code == 0
    assert difference == {"kind": "API key", "name": "New", "id": None, "fields": ["expiresAt", "name", "scopes"]}
    assert result == {"kind": "API key", "name": "New", "id": "key_new", "key": "sk_test_once"}
    assert declared.requests[-1][1] == {
        "name": "New",
        "scopes": ["events:publish"],
        "expiresAt": "2027-06-30T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = =", "is not valid TOML"),
        ("[[hooks]]\nname = 'a'", "unknown section hooks"),
        ("[webhooks]\nname = 'a'", "with two brackets"),
        ("[[webhooks]]\nurl = 'a'", "needs a unique name"),
        ("[[keys]]\nname = 'a'\n[[keys]]\nname = 'a'", "needs a unique name"),
        ("[[webhooks]]\nname = 'a'\nurl = '${NOT_SET}'", "The environment variable NOT_SET is not set."),
        ("[[webhooks]]\nname = 'a'", "The webhook a is new and needs eventTypes."),
        ("[[keys]]\nname = 'a'", "The API key a is new and needs scopes."),
        ("[[webhooks]]\nname = 'a'\neventType = ['*']", "did you mean eventTypes?"),
        ("[[webhooks]]\nname = 'Posts [eu]'\ntitle = 'a'", "title cannot be declared."),
    ],
)
def test_ensure_explains_a_wrong_file(declared: Api, patchbay: Patchbay, text: str, message: str) -> None:
    declare(text)
    code, out, err = patchbay("ensure", "--yes")
    assert (code, out) == (2, "")
    assert message in err
    assert not any(line.startswith(("PUT", "POST")) for line, _ in declared.requests)


def test_ensure_does_not_choose_between_two_of_the_same_name(declared: Api, patchbay: Patchbay) -> None:
    declared.answers[f"GET {HOOKS}"] = page(WEBHOOK, {**WEBHOOK, "id": "whk_2"})
    code, _, err = patchbay("ensure", "--yes")
    assert (code, "Rename one." in err) == (2, True)


def test_listen_sends_an_event_again_after_a_lost_connection_and_not_after_a_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures: list[type[httpx.TransportError]] = [httpx.ReadError, httpx.ReadTimeout]
    sent = []

    def fail(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        raise failures[len(sent) - 1]("scripted")

    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    item = models.FeedItem(
        sequence=1,
        id="dlv_1",
        event_id="evt_1",
        event_type="POST_PUBLISHED",
        payload="{}",
        headers={"webhook-id": "dlv_1"},
    )
    listen._forward(httpx.Client(transport=httpx.MockTransport(fail)), "http://127.0.0.1:1/hook", item)
    assert [request.headers["webhook-id"] for request in sent] == ["dlv_1", "dlv_1"]
