"""Every credential field rejects characters that copying adds, with a 422 that names the field."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Api
from tests.problems import assert_problem

INTEGRATIONS = "/api/integrations"
WEBHOOK = {"name": "w", "url": "https://example.com/hook", "eventTypes": ["*"]}


def config_request(field: str, value: str) -> tuple[str, Any]:
    return f"POST {INTEGRATIONS}", {"name": "i", "type": "CUSTOM", "config": {field: value}}


def credentials_request(id: str, field: str, value: str) -> tuple[str, Any]:
    credentials = {"apiKey": "k"} if field == "apiKey" else {"username": "u", "password": "p"}
    return f"POST {INTEGRATIONS}/{id}/connections", {"credentials": {**credentials, field: value}}


def header_request(value: str) -> tuple[str, Any]:
    return f"POST {INTEGRATIONS}/webhooks", {**WEBHOOK, "headers": {"X-Key": value}}


@pytest.mark.parametrize(
    "pattern", ["{} ", " {}", "{}\n", "\t{}", "{}\u00a0", "\ufeff{}", "{}\u200b", "5\u200b{}"]
)
def test_every_credential_field_rejects_characters_added_by_copying(
    api: Api, pattern: str, subtests: pytest.Subtests
) -> None:
    secret = "s3cret-value-5f2c"
    value = pattern.format(secret)
    id = api(f"POST {INTEGRATIONS}", json={"name": "i", "type": "CUSTOM"}).json()["id"]
    for (line, body), path, name in (
        *(
            (config_request(field, value), f"config.{field}", "")
            for field in ("clientId", "clientSecret", "apiKey")
        ),
        *(
            (credentials_request(id, field, value), f"credentials.{field}", "")
            for field in ("apiKey", "username", "password")
        ),
        (header_request(value), "headers", "X-Key"),
        (header_request(f"Bearer {value}" if pattern[0] == "{" else value), "headers", "X-Key"),
    ):
        with subtests.test(f"{line}, {path}"):
            answer = api(line, json=body)
            (error,) = assert_problem(answer, 422, paths=[path])["errors"]
            message = error["message"]
            assert name in message
            assert "starts or ends with a space" in message or "invisible character" in message
            assert secret not in answer.text
    answer = api(f"PUT {INTEGRATIONS}/{id}", json={"config": {"clientSecret": value}})
    assert_problem(answer, 422, paths=["config.clientSecret"])


def test_valid_credentials_are_accepted(api: Api, subtests: pytest.Subtests) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"
    id = api(f"POST {INTEGRATIONS}", json={"name": "i", "type": "CUSTOM"}).json()["id"]
    for line, body in (
        config_request("clientSecret", "two words"),
        config_request("privateKey", f"{key}\n"),
        config_request("privateKey", '{\n\t"key": "5f2c"\n}\n'),
        credentials_request(id, "password", "pass:wörd ☃"),
        header_request("Bearer 5f2c"),
        header_request(""),
    ):
        with subtests.test(str(body)):
            assert api(line, json=body).status == 201
