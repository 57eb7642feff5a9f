"""The code, patterns and tables in docs/ match the code."""

from __future__ import annotations

import re
import tomllib
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samtranslator.yaml_helper import yaml_parse

from local.settings import REQUIRED_PARAMETERS, ROOT
from patchbay import catalogue
from patchbay.api_keys import key_format
from patchbay.deliveries import outcome
from patchbay.deliveries.models import EVENT_ERASED, Status, Trigger
from patchbay.events.models import EventStatus, UnmatchedCode
from patchbay.health import states
from patchbay.health.models import HealthReason
from patchbay.ids import ApiKeyId
from patchbay.stats import counters
from patchbay.tasks.models import TaskStatus
from patchbay.webhooks import retry
from patchbay.webhooks.models import Receiver, Webhook
from tests import audited
from tools import deploy, provider_table

PAGE = (ROOT / "docs/api-keys.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def new_key(prefix: str = "sk_live") -> str:
    return key_format.assemble(prefix, ApiKeyId.new(), key_format.mint_secret())


def documented_is_key() -> Any:
    """The function that the page shows."""
    (code,) = [block for block in blocks("python") if "is_key" in block]
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102  # the test is that it runs unchanged
    return namespace["is_key"]


def test_documented_patterns_match_the_code() -> None:
    (github,) = blocks("regex")
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
    assert re.search(key_format.SECRET_SCANNING_PATTERN, PAGE)


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


def test_operators_pages_name_every_dead_letter_queue_and_commands_that_exist() -> None:
    template = (ROOT / "template.yaml").read_text()
    for queue in re.findall(r"^  (\w+DeadLetterQueue):$", template, re.MULTILINE):
        assert f"| `{queue}` |" in (ROOT / "docs/operate/monitor.md").read_text()
    pages = "".join(page.read_text() for page in (ROOT / "docs/operate").glob("*.md"))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = set(re.findall(r"\bmake ([a-z-]+)", pages))
    assert {"deploy", "smoke", "backup-check", "restore-drill", "redrive", "uninstall", "load"} <= used
    assert used <= targets


def test_documented_deployments_have_values_that_are_accepted() -> None:
    template = yaml_parse((ROOT / "template.yaml").read_text())
    pages = "".join(page.read_text() for page in (ROOT / "docs/operate").glob("*.md"))
    commands = re.findall(r'make deploy ENV=(dev|prod) PARAMETERS="([^"…]*)"', pages)
    assert len(commands) > 5
    for environment, text in commands:
        given = {"Environment": environment, **REQUIRED_PARAMETERS, **deploy.read_pairs(text)}
        deploy.checked_values(template, given, f"patchbay-{environment}", environment)


@pytest.mark.parametrize(
    ("page", "folders", "kinds"),
    [
        (
            "guides/integrations/set-up",
            ["integrations", "oauth"],
            "integration|credentials|oauth|connection|token|request|publication",
        ),
        ("reference/webhook-statuses", ["webhooks"], "webhook"),
        ("api-keys", ["api_keys"], "api_key"),
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


def test_statuses_page_has_every_status_and_reason() -> None:
    text = (ROOT / "docs/reference/webhook-statuses.md").read_text()
    listed = set(re.findall(r"(?<=\| )`([\w:]+)`(?= \|)", text))  # cells of tables
    values = {
        *Status,
        *get_args(Trigger),
        *get_args(Webhook.model_fields["status"].annotation),
        *get_args(EventStatus),
        *get_args(TaskStatus),
        *get_args(UnmatchedCode),
        *retry.ErrorKind,
        *retry.ReceiverMessage,
        *(
            value
            for name in ("breaker", "lane")
            for value in get_args(Receiver.model_fields[name].annotation)
        ),
        *("unproven", "slow", "slow_workspace"),
        *(retry.GONE, retry.NOT_FOUND, outcome.CONSECUTIVE_FAILURES, EVENT_ERASED),
    }
    assert values <= listed
    # Reasons that are only literals in the code.
    library = ROOT / "layers/patchbay/patchbay"
    code = "".join(file.read_text() for file in (library / "deliveries").glob("*.py"))
    held = set(re.findall(r'"(held(?::|_)[a-z_]+)"', code))
    failed = set(re.findall(r'_fail_without_attempt\([^"\n]*"([a-z_]+)"\)', code)) | {"event_expired"}
    cancelled = {f"webhook_{status}" for status in ("inactive", "disabled", "deleted")}
    assert held | failed | cancelled <= listed


def test_health_page_has_every_reason_and_limit() -> None:
    text = (ROOT / "docs/reference/health.md").read_text()
    rules = set(
        re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| [A-Z, ]+ \|([^|]*)\|", text, re.MULTILINE)))
    )
    assert rules == {reason.value for reason in HealthReason}
    assert f"Less than {states.FAILING_BELOW:.0%} of" in text
    assert f"Less than {states.DEGRADED_BELOW:.0%} of" in text
    assert f"More than {states.MANY_RETRIES:.0%} of" in text
    assert f"at least {states.MIN_COUNT} deliveries" in text
    bounds = ", ".join(map(str, counters.BOUNDS_MS[:-1]))
    assert f"{bounds} and {counters.BOUNDS_MS[-1]} ms" in " ".join(text.split())


def test_events_page_lists_every_operational_event() -> None:
    text = (ROOT / "docs/guides/publish/event-types.md").read_text()
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
