"""The environment, read once and typed; what is missing or wrong is named."""

from __future__ import annotations

import dataclasses
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


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only what has no default; nothing of this machine."""
    for field in dataclasses.fields(Settings):
        monkeypatch.delenv(field.name.upper(), raising=False)
    monkeypatch.delenv("ENCRYPTION_KEY", raising=False)
    for name in REQUIRED:
        monkeypatch.setenv(name, f"the {name}")
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_values_have_the_types_of_their_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NUMBERS:
        monkeypatch.setenv(name, "7")
    for name in SWITCHES:
        monkeypatch.setenv(name, "true")
    read = settings()
    assert all(getattr(read, name.lower()) == f"the {name}" for name in REQUIRED)
    assert [getattr(read, name.lower()) for name in NUMBERS] == [7] * len(NUMBERS)
    assert [getattr(read, name.lower()) for name in SWITCHES] == [True] * len(SWITCHES)
    assert NUMBERS
    assert SWITCHES


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_switches(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("HTTPS_ONLY", text)
    assert settings().https_only is value


def test_safe_without_a_word() -> None:
    read = settings()
    assert read.https_only is True
    assert read.patchbay_allow_loopback_targets is False
    assert (read.jwks_url, read.jwt_secret_arn) == ("", "")


def test_read_once_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    first = settings()
    monkeypatch.setenv("MAX_WEBHOOKS", "1")
    assert settings() is first
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.max_webhooks = 1  # type: ignore[misc]  # that it cannot be is the point


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError) as error:
        settings()
    assert re.findall(r"[A-Z_]{5,}", str(error.value)) == [name]


def test_all_that_are_missing_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigurationError) as error:
        settings()
    assert str(error.value).startswith(f"{name} must be ")
    assert repr(text) in str(error.value)


def test_a_mistake_can_be_mended_without_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_WEBHOOKS", "many")
    with pytest.raises(ConfigurationError):
        settings()
    monkeypatch.setenv("MAX_WEBHOOKS", "5")
    assert settings().max_webhooks == 5


@pytest.mark.parametrize("text", ["c2VjcmV0", "", "0"])
def test_an_encryption_key_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", text)
    with pytest.raises(ConfigurationError, match=r"ENCRYPTION_KEY is set.*KMS.*Remove") as error:
        settings()
    assert not text or text not in str(error.value)


def test_the_template_sets_what_is_read_and_nothing_else() -> None:
    """Variables are written once: a name in one place and not in the other is a mistake."""
    template = (ROOT / "template.yaml").read_text()
    variables = template.partition("      Variables:\n")[2].partition("\nResources:")[0]
    given = set(re.findall(r"^        ([A-Z][A-Z0-9_]*):", variables, re.MULTILINE))
    read = {field.name.upper() for field in dataclasses.fields(Settings)}
    assert read - given == {"PATCHBAY_ALLOW_LOOPBACK_TARGETS"}  # the local runner's alone
    assert {name for name in given - read if not name.startswith("POWERTOOLS_")} == set()
    assert "PATCHBAY_ALLOW_LOOPBACK_TARGETS" not in template
