"""The code, patterns and tables in docs/ match the code."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samtranslator.yaml_helper import yaml_parse

from local.intrinsics import parameter_values
from local.settings import REQUIRED_PARAMETERS, ROOT
from patchbay import (
    catalogue,
    event_filters,
    idempotency,
    pasted_credentials,
    response_size,
    strict_json,
)
from patchbay.activity import log, trail
from patchbay.api_keys import key_format
from patchbay.api_keys import models as key_models
from patchbay.api_keys import store as key_store
from patchbay.auth import jwt
from patchbay.automations import models as automation_models
from patchbay.automations import runs
from patchbay.connect import models as connect_models
from patchbay.deliveries import limits as delivery_limits
from patchbay.deliveries import outcome, replay
from patchbay.deliveries import service as delivery_service
from patchbay.deliveries.models import EVENT_ERASED, Status, Trigger
from patchbay.events import bus
from patchbay.events import service as event_service
from patchbay.events.models import EventStatus, UnmatchedCode
from patchbay.feeds import models as feed_models
from patchbay.feeds import store as feed_store
from patchbay.flows import calls as flow_calls
from patchbay.flows import models as flow_models
from patchbay.flows import steps as flow_steps
from patchbay.flows import store as flow_store
from patchbay.flows import worker as flow_worker
from patchbay.health import states
from patchbay.health.models import HealthReason
from patchbay.http import request as http_request
from patchbay.ids import ApiKeyId
from patchbay.integrations import config as integration_config
from patchbay.integrations import config_fields
from patchbay.integrations import models as integration_models
from patchbay.oauth import states as oauth_states
from patchbay.oauth import store as oauth_store
from patchbay.oauth import token_endpoint, token_response
from patchbay.outbound import connection as outbound_connection
from patchbay.outbound import ssrf_guard, transport
from patchbay.providers import provider
from patchbay.sessions import models as session_models
from patchbay.sessions import portal
from patchbay.sessions import store as session_store
from patchbay.stats import counters
from patchbay.storage import objects
from patchbay.tasks import store as tasks_store
from patchbay.tasks.models import TaskStatus
from patchbay.webhooks import models as webhook_models
from patchbay.webhooks import retry, sender
from patchbay.webhooks import service as webhook_service
from patchbay.webhooks import store as webhook_store
from patchbay.webhooks.models import Receiver, Webhook
from tests import audited
from tools import deploy, provider_table

KEYS = ROOT / "docs/guides/api-keys"
LEAKED = (KEYS / "leaked.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", LEAKED, re.MULTILINE | re.DOTALL)


def new_key(prefix: str = "sk_live") -> str:
    return key_format.assemble(prefix, ApiKeyId.new(), key_format.mint_secret())


def documented_is_key() -> Any:
    """The `is_key` function that the page shows."""
    (code,) = [block for block in blocks("python") if "is_key" in block]
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102  # the documented code must run unchanged
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


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("README.md", "{all} providers"),
        ("docs/index.md", "{oauth} providers"),
        ("docs/guides/connections/custom-providers.md", "[{all} providers]"),
        ("docs/guides/migrate/nango.md", "{all} built in"),
        ("docs/guides/providers/index.md", "{all} providers: {oauth} with OAuth"),
    ],
)
def test_pages_have_the_number_of_providers(page: str, text: str) -> None:
    every = provider.load_all()
    oauth = sum(each.oauth is not None for each in every)
    assert text.format(all=len(every), oauth=oauth) in (ROOT / page).read_text()


def test_operators_pages_name_every_dead_letter_queue_and_commands_that_exist() -> None:
    template = (ROOT / "template.yaml").read_text()
    for queue in re.findall(r"^  (\w+DeadLetterQueue):$", template, re.MULTILINE):
        assert f"| `{queue}` |" in (ROOT / "docs/operate/monitor.md").read_text()
    pages = "".join(page.read_text() for page in (ROOT / "docs/operate").glob("*.md"))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = set(re.findall(r"(?:^ *|`|= ?)make ([a-z-]+)", pages, re.MULTILINE))
    assert {"deploy", "smoke", "backup-check", "restore-drill", "redrive", "uninstall", "load"} <= used
    assert "copy-back" in used
    assert used <= targets


def test_documented_parameters_have_values_that_are_accepted() -> None:
    template = yaml_parse((ROOT / "template.yaml").read_text())
    parameters = template["Parameters"]
    pages = "".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
    commands = re.findall(r'make deploy ENV=(dev|prod) PARAMETERS="([^"…]*)"', pages)
    assert len(commands) > 10
    for environment, text in commands:
        given = {"Environment": environment, **REQUIRED_PARAMETERS, **deploy.read_pairs(text)}
        deploy.checked_values(template, given, f"patchbay-{environment}", environment, "us-east-1")
    # Also check the values outside commands, such as `RetentionDays=15`.
    named = re.findall(rf"\b({'|'.join(parameters)})=([^\s\"'`,;]+)", pages)
    assert len(named) > 50
    for name, value in named:
        if "…" not in value:
            parameter_values(parameters, {**REQUIRED_PARAMETERS, name: value})


@pytest.mark.parametrize(
    ("page", "folders", "kinds"),
    [
        (
            "guides/integrations/set-up",
            ["integrations", "oauth"],
            "integration|credentials|oauth|connection|token|request|publication",
        ),
        ("reference/webhook-statuses", ["webhooks"], "webhook"),
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


def test_statuses_page_has_every_status_and_reason() -> None:
    text = (ROOT / "docs/reference/webhook-statuses.md").read_text()
    listed = set(re.findall(r"(?<=\| )`([\w:]+)`(?= \|)", text))  # table cells
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
    # Reasons that exist only as literals in the code.
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
    page = (ROOT / "docs/reference/audit-actions.md").read_text()
    table = page.partition("## What is recorded")[2].partition("\n\nA request")[0]
    documented, resource = set(), ""
    for name in re.findall(r"`([a-z_.]+)`", table):
        resource = name.partition(".")[0] if "." in name else resource
        documented.add(name if "." in name else f"{resource}.{name}")
    # This action belongs to a public route, whose endpoint writes the entry.
    assert documented - {"portal_sessions.exchange"} == audited.actions()


def test_security_page_names_existing_tests() -> None:
    named = re.findall(r"`(tests/[^`]+)`", (ROOT / "docs/security/index.md").read_text())
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_reasons_with_a_fix_are_those_of_deliveries() -> None:
    page = (ROOT / "docs/guides/webhooks/inspect.md").read_text()
    table = page.partition("| `statusReason` | Likely cause |")[2].partition("\n\n")[0]
    rows = "".join(re.findall(r"^\| (`[^|]+)\|", table, re.MULTILINE))
    reasons = set(re.findall(r"`([a-z_]+)`", rows))
    library = ROOT / "layers/patchbay/patchbay"
    code = "".join(
        file.read_text() for folder in ("webhooks", "deliveries") for file in (library / folder).glob("*.py")
    )
    assert len(reasons) > 5
    assert {reason for reason in reasons if f'"{reason}"' not in code} == set()


def size(count: int) -> str:
    return f"{count // 1024**2} MB" if count >= 1024**2 else f"{count // 1024} KB"


def quotas() -> dict[str, tuple[str, str]]:
    """The value and the parameter of each limit on the quotas page, by the limit's name."""
    page = (ROOT / "docs/reference/quotas.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|(?: \[`(\w+)`\][^|]+)? ?\|$", page, re.MULTILINE)
    found = {name: (value, parameter) for name, value, parameter in rows if value != "Value"}
    assert len(found) == len([row for row in rows if row[1] != "Value"]), "two limits have the same name"
    return found


def test_quotas_that_parameters_change_are_the_defaults() -> None:
    parameters = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
    named = {parameter: value for value, parameter in quotas().values() if parameter}
    assert {name for name in parameters if name.startswith("Max")} - named.keys() == {
        "MaxVisibilityWaitSeconds",  # when a retry moves to the table, which users do not notice
        "MaxTableCapacity",
    }
    for name, value in named.items():
        default = int(parameters[name]["Default"])
        days = default // 86_400 if name == "MaxHoldSeconds" else default
        number, _, unit = value.partition(" ")
        assert int(number.replace(",", "")) == days, name
        assert unit in {"", "day" if days == 1 else "days", "seconds"}, name


def test_fixed_quotas_are_those_of_the_code() -> None:
    day, minute = 86_400, 60_000
    constants = {
        "Flows": flow_store.MAX_FLOWS,
        "Filters of all webhooks": size(webhook_store.MAX_FILTERS_BYTES),
        "Test events per minute": delivery_limits._TEST_QUOTA.limit,
        "Running tasks (replays, exports, erasures)": tasks_store.MAX_RUNNING,
        "Concurrent slow calls to providers": oauth_store._MAX_SLOW_CALLS,
        "Body of a request": size(http_request.MAX_BODY_BYTES),
        "Response": size(response_size.MAX_BYTES),
        "Levels of JSON": strict_json.MAX_DEPTH,
        "Idempotency-Key": f"{idempotency._MAX_KEY_LENGTH} characters",
        "JWT": f"{jwt._MAX_TOKEN_LENGTH:,} characters",
        "`data` of an event": size(event_service.MAX_DATA_BYTES),
        "Time of a bus event ahead of now": f"{bus._MAX_AHEAD_MS // minute} minutes",
        "Event types": webhook_models.MAX_EVENT_TYPES,
        "Filters": event_filters.MAX_FILTERS,
        "Filters, as JSON": size(webhook_models._MAX_FILTERS_BYTES),
        "Values of an `in` filter": event_filters.MAX_VALUES,
        "Names in a filter's path": event_filters.MAX_DEPTH,
        "Custom headers": webhook_models._MAX_HEADERS,
        "Custom headers, names and values": size(webhook_models._MAX_HEADER_BYTES),
        "URL": f"{ssrf_guard.MAX_URL_LENGTH:,} characters",
        "Valid signing secrets of a webhook": webhook_service._MAX_LIVE_SECRETS,
        "Overlap of a rotated signing secret": f"{webhook_models.MAX_OVERLAP_SECONDS // day} days",
        "Lifetime of a temporary webhook": f"{webhook_models.MAX_EXPIRY_SECONDS // day} day",
        "Consumers of a feed": feed_store.MAX_CONSUMERS,
        "Wait of a feed's request": f"{feed_models.MAX_WAIT_SECONDS} seconds",
        "Time to connect": f"{transport.CONNECT_TIMEOUT_SECONDS:g} seconds",
        "`Retry-After` of a receiver": f"{retry.MAX_DELAY_SECONDS // 3600} hours",
        "Response that is read": size(outbound_connection.MAX_RESPONSE_BYTES),
        "Response that is stored": size(sender.MAX_BODY_BYTES),
        "Attempts that are shown": delivery_service._MAX_ATTEMPTS_SHOWN,
        "Deliveries that a dry run of a replay counts": f"{replay._MAX_COUNTED:,}",
        "`config`": size(integration_config._MAX_BYTES),
        "Metadata": size(integration_models.MAX_METADATA_BYTES),
        "Scopes of an integration": integration_models.MAX_SCOPES,
        "Redirect URIs of an integration": config_fields._MAX_REDIRECT_URIS,
        "Pasted credential": f"{pasted_credentials.MAX_LENGTH:,} characters",
        "Uses per hour of an integration": f"{integration_models._MAX_PER_HOUR:,}",
        "Time to complete an OAuth flow": f"{oauth_states.LIFETIME_MS // minute} minutes",
        "Granted scopes that are stored": size(token_response._MAX_SCOPES_BYTES),
        "Time for a provider's response": f"{token_endpoint.TOTAL_SECONDS:g} seconds",
        "Token response": size(token_endpoint.MAX_RESPONSE_BYTES),
        "Integrations of a connect link": connect_models._MAX_INTEGRATIONS,
        "Lifetime of a connect link": f"{connect_models.MAX_SECONDS // day} days",
        "OAuth flows of a connect link": session_store.MAX_STARTS,
        "Requests of a connect link": session_store.MAX_REQUESTS,
        "Requests per hour of a key": f"{key_models.MAX_PER_HOUR:,}",
        "Requests per day of a key": f"{key_models.MAX_PER_DAY:,}",
        "Overlap of a rotated key": f"{key_models.MAX_OVERLAP_SECONDS // day} days",
        "Interval of automatic rotation": f"{key_models.MAX_ROTATION_DAYS} days",
        "Lifetime of a portal session": f"{session_models.MAX_SECONDS // day} day",
        "Time to open a session's link": f"{portal.CODE_MS // minute} minutes",
        "Steps of a flow": flow_models.MAX_STEPS,
        "Nested branches": flow_models.MAX_NESTING,
        "Steps of a flow, as JSON": size(flow_models.MAX_STEPS_BYTES),
        "Wait of a step": f"{flow_models.MAX_WAIT_SECONDS // day} days",
        "Flows in a chain of events": flow_worker.MAX_DEPTH,
        "Attempts of a request step": flow_calls.MAX_TRIES,
        "Body of a request step, sent and received": size(flow_steps.MAX_BYTES),
        "Results of all steps of a run": size(flow_worker._MAX_RESULTS_BYTES),
        "Time for the platform to answer an action": f"{runs._EXPIRES_AFTER_MS // minute} minutes",
        "Choices of a dropdown": f"{automation_models._MAX_CHOICES:,}",
        "Activity logs": f"{log._KEEP_SECONDS // day} days",
        "Audit log": f"{trail.KEEP_SECONDS // day} days",
        "Tasks": f"{tasks_store._KEEP_SECONDS // day} days",
        "Files of exports": f"{objects.KEPT_DAYS} days",
        "Responses to an Idempotency-Key": f"{idempotency._KEEP_SECONDS // day} day",
        "Ended API keys in the list": f"{key_store._RETENTION_MS // day // 1000} days",
        "Portal sessions after they expire": f"{session_store._PORTAL_KEPT_SECONDS // day} day",
        "Connect links after they expire": f"{session_store._LINK_KEPT_SECONDS // day} days",
    }
    schemas = {  # bounds in the models, as openapi.json has them
        "Names": ("CreateWebhook", "name", "maxLength"),
        "`rateLimitPerSecond`": ("CreateWebhook", "rateLimitPerSecond", "maximum"),
        "`disableAfter`": ("CreateWebhook", "disableAfter", "maximum"),
        "Retries": ("RetryConfig", "maxRetries", "maximum"),
        "First retry delay": ("RetryConfig", "initialDelaySeconds", "maximum"),
        "Events of a batch": ("PublishEvents", "events", "maxItems"),
        "Scopes of a key or session": ("CreateApiKey", "scopes", "maxItems"),
        "Cost of a verification": ("VerifyApiKey", "cost", "maximum"),
    }
    document = json.loads((ROOT / "openapi.json").read_text())["components"]["schemas"]
    for name, (schema, field, bound) in schemas.items():
        (found,) = re.findall(rf'"{bound}": (\d+)', json.dumps(document[schema]["properties"][field]))
        constants[name] = int(found)
    shown = {name: value for name, (value, parameter) in quotas().items() if not parameter}
    assert {name: value for name, value in shown.items() if name not in constants} == {
        "`limit` of a list": "100"
    }
    for name, constant in constants.items():
        value = shown[name] if isinstance(constant, str) else shown[name].split()[0].replace(",", "")
        assert value == str(constant), name
