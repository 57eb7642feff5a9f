"""Settings from the environment: types, defaults, and errors that name the variable."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchbay.settings import ConfigurationError, Settings, settings

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = sorted(
    field.name.upper() for field in dataclasses.fields(Settings) if field.default is dataclasses.MISSING
)
NUMBERS = sorted(field.name.upper() for field in dataclasses.fields(Settings) if field.type == "int")
SWITCHES = sorted(field.name.upper() for field in dataclasses.fields(Settings) if field.type == "bool")


def value_of(name: str) -> str:
    """A value that settings keep unchanged. For a queue, that is a URL."""
    return f"https://queues.test/{name}" if name.endswith(("_QUEUE_URL", "_DLQ_URL")) else f"the {name}"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set only the required variables, and remove those of the test machine."""
    for field in dataclasses.fields(Settings):
        monkeypatch.delenv(field.name.upper(), raising=False)
    monkeypatch.delenv("ENCRYPTION_KEY", raising=False)
    monkeypatch.delenv("PATCHBAY_SETTINGS", raising=False)
    for name in REQUIRED:
        monkeypatch.setenv(name, value_of(name))
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_settings_have_the_types_of_their_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NUMBERS:
        monkeypatch.setenv(name, "7")
    for name in SWITCHES:
        monkeypatch.setenv(name, "true")
    read = settings()
    assert all(getattr(read, name.lower()) == value_of(name) for name in REQUIRED)
    assert [getattr(read, name.lower()) for name in NUMBERS] == [7] * len(NUMBERS)
    assert [getattr(read, name.lower()) for name in SWITCHES] == [True] * len(SWITCHES)
    assert NUMBERS
    assert SWITCHES


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_bool_setting_accepts_true_false_1_and_0(
    monkeypatch: pytest.MonkeyPatch, text: str, value: bool
) -> None:
    monkeypatch.setenv("HTTPS_ONLY", text)
    assert settings().https_only is value


def test_defaults_are_safe() -> None:
    read = settings()
    assert read.https_only is True
    assert read.patchbay_allow_loopback_targets is False
    assert (read.jwks_url, read.jwt_secret_arn) == ("", "")


def test_function_of_another_stack_has_all_variables_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in REQUIRED:
        monkeypatch.delenv(name)
    shared = {name: f"shared {name}" for name in REQUIRED} | {"MAX_WEBHOOKS": "7"}
    monkeypatch.setenv("PATCHBAY_SETTINGS", json.dumps(shared))
    monkeypatch.setenv("EVENTS_TABLE", "its own")
    assert settings().webhooks_table == "shared WEBHOOKS_TABLE"
    assert settings().max_webhooks == 7
    assert settings().events_table == "its own"


@pytest.mark.parametrize("text", ["", "[]", '{"MAX_WEBHOOKS": 7}', "{"])
def test_malformed_shared_settings_are_rejected(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PATCHBAY_SETTINGS", text)
    with pytest.raises(
        ConfigurationError, match="PATCHBAY_SETTINGS must be the JSON object of the SSM parameter"
    ):
        settings()


def test_settings_are_read_once_and_immutable(monkeypatch: pytest.MonkeyPatch) -> None:
    first = settings()
    monkeypatch.setenv("MAX_WEBHOOKS", "1")
    assert settings() is first
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.max_webhooks = 1  # type: ignore[misc]  # this is the point of the test


@pytest.mark.parametrize("name", REQUIRED)
def test_error_names_the_missing_variable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError) as error:
        settings()
    assert re.findall(r"[A-Z_]{5,}", str(error.value)) == [name]


def test_error_names_all_missing_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in REQUIRED:
        monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError) as error:
        settings()
    assert sorted(re.findall(r"[A-Z_]{5,}", str(error.value))) == REQUIRED


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("MAX_WEBHOOKS", text) for text in ("", "many", "1.5", "1e3", "0x10", "none")),
        *(("HTTPS_ONLY", text) for text in ("", "yes", "True", "TRUE", "2", "off")),
        ("PATCHBAY_ALLOW_LOOPBACK_TARGETS", "maybe"),
    ],
)
def test_error_names_the_variable_with_an_invalid_value(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigurationError) as error:
        settings()
    assert str(error.value).startswith(f"{name} must be ")
    assert repr(text) in str(error.value)


def test_settings_are_read_again_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_WEBHOOKS", "many")
    with pytest.raises(ConfigurationError):
        settings()
    monkeypatch.setenv("MAX_WEBHOOKS", "5")
    assert settings().max_webhooks == 5


@pytest.mark.parametrize("text", ["c2VjcmV0", "", "0"])
def test_settings_reject_encryption_key(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", text)
    with pytest.raises(ConfigurationError, match=r"ENCRYPTION_KEY is set.*KMS.*Remove") as error:
        settings()
    assert not text or text not in str(error.value)


def test_template_sets_exactly_the_variables_that_settings_read() -> None:
    template = (ROOT / "template.yaml").read_text()
    variables = template.partition("      Variables:\n")[2].partition("\nResources:")[0]
    in_template = set(re.findall(r"^        ([A-Z][A-Z0-9_]*):", variables, re.MULTILINE))
    read = {field.name.upper() for field in dataclasses.fields(Settings)}
    # The first is only for the local runner, and the second is a variable of one function.
    assert read - in_template == {"PATCHBAY_ALLOW_LOOPBACK_TARGETS", "CONSOLE_FRAME_ANCESTORS"}
    assert {name for name in in_template - read if not name.startswith("POWERTOOLS_")} == set()
    assert "PATCHBAY_ALLOW_LOOPBACK_TARGETS" not in template


def test_queue_that_is_set_by_its_name_gets_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    account = "https://sqs.eu-central-1.amazonaws.com/123456789012"
    monkeypatch.setenv("EVENTS_QUEUE_URL", f"{account}/events")
    monkeypatch.setenv("FLOWS_QUEUE_URL", "patchbay-FlowsQueue-1")
    monkeypatch.setenv("FLOWS_DLQ_URL", "https://sqs.us-east-1.amazonaws.com/1/other")
    settings.cache_clear()
    assert settings().flows_queue_url == f"{account}/patchbay-FlowsQueue-1"
    assert settings().flows_dlq_url == "https://sqs.us-east-1.amazonaws.com/1/other"
