"""Every field that takes a credential refuses what copying adds to it, with a 422 that names the field."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Api

INTEGRATIONS = "/api/integrations"
WEBHOOK = {"name": "w", "url": "https://example.com/hook", "events": ["*"]}


def by_config(field: str, value: str) -> tuple[str, Any]:
    return f"POST {INTEGRATIONS}", {"name": "i", "type": "CUSTOM", "config": {field: value}}


def by_credentials(id: str, field: str, value: str) -> tuple[str, Any]:
    whole = {"apiKey": "k"} if field == "apiKey" else {"username": "u", "password": "p"}
    return f"POST {INTEGRATIONS}/{id}/connections", {"credentials": {**whole, field: value}}


def by_header(value: str) -> tuple[str, Any]:
    return f"POST {INTEGRATIONS}/webhooks", {**WEBHOOK, "headers": {"X-Key": value}}


@pytest.mark.parametrize(
    "wrong", ["{} ", " {}", "{}\n", "\t{}", "{}\u00a0", "\ufeff{}", "{}\u200b", "5\u200b{}"]
)
def test_every_credential_is_refused_with_what_copying_adds(api: Api, wrong: str) -> None:
    secret = "s3cret-value-5f2c"
    value = wrong.format(secret)
    id = api(f"POST {INTEGRATIONS}", json={"name": "i", "type": "CUSTOM"}).json()["id"]
    for (line, body), path, named in (
        *((by_config(name, value), f"config.{name}", "") for name in ("clientId", "clientSecret", "apiKey")),
        *(
            (by_credentials(id, name, value), f"credentials.{name}", "")
            for name in ("apiKey", "username", "password")
        ),
        (by_header(value), "headers", "X-Key"),
        (by_header(f"Bearer {value}" if wrong[0] == "{" else value), "headers", "X-Key"),
    ):
        answer = api(line, json=body)
        assert (answer.status, answer.json()["code"]) == (422, "validation_failed"), (line, body)
        (error,) = answer.json()["errors"]
        assert error["path"] == path
        assert named in error["message"]
        assert "begins or ends with a blank" in error["message"] or "invisible character" in error["message"]
        assert secret not in answer.text
    changed = api(f"PUT {INTEGRATIONS}/{id}", json={"config": {"clientSecret": value}})
    assert (changed.status, changed.json()["errors"][0]["path"]) == (422, "config.clientSecret")


def test_credentials_as_they_were_issued_are_taken(api: Api) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"
    id = api(f"POST {INTEGRATIONS}", json={"name": "i", "type": "CUSTOM"}).json()["id"]
    for line, body in (
        by_config("clientSecret", "two words"),
        by_config("privateKey", f"{key}\n"),
        by_config("privateKey", '{\n\t"key": "5f2c"\n}\n'),
        by_credentials(id, "password", "pass:wörd ☃"),
        by_header("Bearer 5f2c"),
        by_header(""),
    ):
        assert api(line, json=body).status == 201, body
