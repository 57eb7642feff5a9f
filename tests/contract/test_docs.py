"""The code, patterns and tables in docs/ match the code."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.settings import ROOT
from patchbay import catalogue
from patchbay.api_keys import key_format
from patchbay.health import states
from patchbay.health.models import HealthReason
from patchbay.ids import ApiKeyId
from patchbay.stats import counters
from tests import audited
from tools import parameter_table, provider_table

KEYS = ROOT / "docs/guides/api-keys"
LEAKED = (KEYS / "leaked.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", LEAKED, re.MULTILINE | re.DOTALL)


def new_key(prefix: str = "sk_live") -> str:
    return key_format.assemble(prefix, ApiKeyId.new(), key_format.mint_secret())


def documented_is_key() -> Any:
    """The function that the page shows."""
    (code,) = [block for block in blocks("python") if "is_key" in block]
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102  # the test is that it runs unchanged
    return namespace["is_key"]


def test_documented_patterns_match_the_code() -> None:
    (github,) = blocks("text")
    (rule,) = tomllib.loads(blocks("toml")[0])["rules"]
    assert rf"\b{github.strip()}\b" == key_format.SECRET_SCANNING_PATTERN == rule["regex"]
    assert all(any(word in new_key(prefix) for word in rule["keywords"]) for prefix in ("sk_live", "sk_test"))


def test_secret_scanning_pattern_finds_only_complete_keys() -> None:
    pattern = re.compile(key_format.SECRET_SCANNING_PATTERN)
    for key in (new_key("sk_live"), new_key("sk_test")):
        for text in (key, f'KEY="{key}"', f"Bearer {key}\n", f"?key={key}&x=1", f"({key}),", f"{key}…"):
            assert pattern.findall(text) == [key]
        for text in (key[:-1], f"{key}x", f"x{key}", key_format.mask("sk_live", ApiKeyId.new()), key.upper()):
            assert pattern.findall(text) == []
    assert pattern.findall("sk_live_" + "a" * 58) == [], "another issuer's"


def test_documented_example_matches_the_pattern() -> None:
    assert re.search(key_format.SECRET_SCANNING_PATTERN, (KEYS / "create.md").read_text())


@given(st.integers(0, 64), st.sampled_from("0Az_"))
def test_documented_checksum_accepts_keys_and_rejects_typos(at: int, character: str) -> None:
    key, is_key = new_key(), documented_is_key()
    assert is_key(key)
    typo = key[:at] + character + key[at + 1 :]
    assert is_key(typo) is (typo == key)


def test_key_contains_its_id_as_documented() -> None:
    id = ApiKeyId.new()
    key = key_format.assemble("sk_live", id, key_format.mint_secret())
    assert "key_" + key.split("_")[2][::-1] == id


def test_provider_table_is_up_to_date() -> None:
    assert provider_table.TARGET.read_text() == provider_table.render(), "stale: run `make derived`"


def test_parameter_table_is_up_to_date() -> None:
    assert parameter_table.TARGET.read_text() == parameter_table.render(), "stale: run `make derived`"


def test_deployment_page_names_every_dead_letter_queue_and_commands_that_exist() -> None:
    page = parameter_table.TARGET.read_text()
    template = (ROOT / "template.yaml").read_text()
    for queue in re.findall(r"^  (\w+DeadLetterQueue):$", template, re.MULTILINE):
        assert f"| `{queue}` |" in page
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = set(re.findall(r"\bmake ([a-z-]+)", page))
    assert {"deploy", "smoke", "test-deploy", "build"} <= used
    assert used <= targets


@pytest.mark.parametrize(
    ("page", "folders", "kinds"),
    [
        (
            "integrations",
            ["integrations", "oauth"],
            "integration|credentials|oauth|connection|token|request|publication",
        ),
        ("webhooks", ["webhooks"], "webhook"),
        ("guides/api-keys/create", ["api_keys"], "api_key"),
    ],
)
def test_page_lists_every_action_of_the_activity_log(page: str, folders: list[str], kinds: str) -> None:
    library = ROOT / "layers/patchbay/patchbay"
    code = "".join(file.read_text() for folder in folders for file in (library / folder).glob("*.py"))
    recorded = set(re.findall(rf'"((?:{kinds})\.[a-z_]+)"', code))
    text = (ROOT / f"docs/{page}.md").read_text()
    listed = re.search(r"Actions: (.*?)(?:\.\s| \|\n)", text, re.DOTALL)
    assert listed is not None
    documented = {
        f"{kind}.{name}"
        for group in re.findall(r"`([^`]+)`", listed[1])
        for kind, namespace in [group.split(".", 1)]
        for name in namespace.split(" · ")
    }
    assert documented == recorded


def test_health_page_has_every_reason_and_limit() -> None:
    text = (ROOT / "docs/health.md").read_text()
    rules = set(
        re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| [A-Z, ]+ \|([^|]*)\|", text, re.MULTILINE)))
    )
    assert rules == {reason.value for reason in HealthReason}
    assert f"less than {states.FAILING_BELOW:.0%}".replace("%", " %") in text
    assert f"less than {states.DEGRADED_BELOW:.0%}".replace("%", " %") in text
    assert f"more than {states.MANY_RETRIES:.0%}".replace("%", " %") in text
    assert f"at least {states.MIN_COUNT} deliveries" in text
    bounds = ", ".join(map(str, counters.BOUNDS_MS[:-1]))
    assert f"{bounds} and {counters.BOUNDS_MS[-1]} ms" in " ".join(text.split())


def test_events_page_lists_every_operational_event() -> None:
    text = (ROOT / "docs/events.md").read_text()
    section = text.partition("## Patchbay's own events")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE)) == catalogue.OPERATIONAL


def test_audit_page_lists_every_recorded_action() -> None:
    section = (ROOT / "docs/audit-log.md").read_text().partition("## What is recorded")[2]
    documented, resource = set(), ""
    for name in re.findall(r"`([a-z_.]+)`", section.partition("**Refused requests**")[0]):
        resource = name.partition(".")[0] if "." in name else resource
        documented.add(name if "." in name else f"{resource}.{name}")
    assert documented == audited.actions()


def test_security_page_names_existing_tests() -> None:
    named = re.findall(r"`(tests/[^`]+)`", (ROOT / "docs/security.md").read_text())
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []
