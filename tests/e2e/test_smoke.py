"""`make smoke` against the local stack: it passes, leaves nothing behind, and says what is wrong."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.conftest import WEBHOOKS, Workspace
from tests.receivers import receiver
from tools import smoke


def deployment(workspace: Workspace, token: str | None = None, **options: str) -> smoke.Smoke:
    token = workspace.stack.token(workspace.name) if token is None else token
    return smoke.Smoke(workspace.stack.url, token, options.get("receiver"), options.get("origin"))


@pytest.mark.parametrize("own_receiver", [False, True], ids=["API as receiver", "own receiver"])
def test_smoke_test_passes_and_leaves_no_webhook(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], own_receiver: bool
) -> None:
    with receiver() as inbox:
        deployment(workspace, **({"receiver": inbox.url} if own_receiver else {})).run()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert all(line.startswith("  ok  ") for line in lines)
    assert len(inbox.requests) == own_receiver
    assert workspace(f"GET {WEBHOOKS}")["items"] == []


@pytest.mark.parametrize(
    ("token", "options", "text"),
    [
        ("wrong", {}, "the token is accepted: GET /api/me answered 401"),
        (
            None,
            {"origin": "https://app.example"},
            "https://app.example is not allowed; add it to CorsOrigins",
        ),
    ],
    ids=["token", "origin"],
)
def test_smoke_test_names_what_is_wrong(
    workspace: Workspace, token: str | None, options: dict[str, str], text: str
) -> None:
    with pytest.raises(smoke.Failure, match=text):
        deployment(workspace, token, **options).run()


def test_smoke_test_removes_its_webhooks_after_a_failure(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke, "SECONDS", 0)
    with pytest.raises(smoke.Failure, match="is not in the feed after 0 s; see FanOutFunction's log"):
        deployment(workspace).run()
    assert workspace(f"GET {WEBHOOKS}")["items"] == []


def test_failed_removal_does_not_hide_what_failed_first(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(self: smoke.Smoke, webhook_id: str) -> str:
        raise smoke.Failure("refused")

    monkeypatch.setattr(smoke, "SECONDS", 0)
    monkeypatch.setattr(smoke.Smoke, "remove", refuse)
    with pytest.raises(smoke.Failure, match="is not in the feed"):
        deployment(workspace).run()
    assert "the pull webhook is removed: refused; remove whk_" in capsys.readouterr().out


def test_smoke_test_of_an_unreachable_deployment_fails() -> None:
    with pytest.raises(smoke.Failure, match="the API is healthy"):
        smoke.Smoke("http://127.0.0.1:9", "token", None, None).run()


def test_smoke_test_of_another_server_fails() -> None:
    other = smoke.Smoke("https://other.example", "token", None, None)
    page = httpx.MockTransport(lambda request: httpx.Response(200, html="<p>ok</p>"))
    other._http = httpx.Client(base_url=other.url, transport=page)
    with pytest.raises(smoke.Failure, match="the API is healthy: the response is not one of Patchbay"):
        other.run()
