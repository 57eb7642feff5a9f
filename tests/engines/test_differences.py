"""Each engine does what AWS documents, except for the differences in docs/architecture/engines.md.

A test fails for an unknown difference, and for a known one that no longer exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.settings import ROOT
from tests.engines import checks_dynamodb, checks_sqs

PAGE = ROOT / "docs/architecture/engines.md"
Check = Callable[[Any], None]
ENGINES = {"DynamoDB": ["moto", "ministack", "DynamoDB Local"], "SQS": ["moto", "ministack", "ElasticMQ"]}
CHECKS = {"DynamoDB": checks_dynamodb.CHECKS, "SQS": checks_sqs.CHECKS}
# What an engine does instead, by check and engine.
DIFFERENCES: dict[str, dict[str, str]] = {
    "one_of_many_conditional_puts_wins": {"moto": "several can succeed"},
    "concurrent_adds_all_count": {"moto": "loses some"},
    "concurrent_transactions_all_count": {"moto": "loses some"},
    "unused_values_are_refused": {"moto": "takes them with some expressions"},
    "overlapping_paths_are_refused": {"ministack": "makes both changes"},
    "repeated_token_takes_effect_once": {"moto": "ignores the token"},
    "token_with_other_writes_is_refused": {"moto": "ignores the token"},
    "keys_of_a_map_have_no_order": {"moto": "keeps the order", "ministack": "keeps the order"},
    "number_has_38_digits": {"moto": "takes more"},
    "index_key_of_another_type_is_refused": {"moto": "takes it"},
    "batch_write_has_25_items": {"moto": "takes more"},
    "capacity_of_a_transaction_is_twice_that_of_a_write": {"moto": "reports none"},
    "delay_has_15_minutes": {"ministack": "takes more"},
    "invalid_entry_fails_alone": {"ministack": "takes the entry"},
    "visibility_has_12_hours": {"ministack": "takes more", "ElasticMQ": "takes more"},
    "visibility_has_12_hours_since_the_receipt": {"ministack": "takes more", "ElasticMQ": "takes more"},
    "empty_batch_is_refused": {"ElasticMQ": "takes it"},
    "batch_has_a_mebibyte": {"ElasticMQ": "`InvalidAttributeValue`"},
    "message_has_a_mebibyte": {"ElasticMQ": "`InvalidAttributeValue`"},
    "control_characters_are_refused": {"moto": "takes it", "ElasticMQ": "`InvalidAttributeValue`"},
    "message_moves_to_the_dead_letter_queue": {"moto": "the message does not name its source"},
    "move_task_returns_dead_letters": {"moto": "has no such task", "ministack": "has no such task"},
    "redrive_allow_policy_is_an_attribute": {"ElasticMQ": "refuses it"},
    "old_receipt_handle_deletes_without_an_error": {
        "ministack": "`ReceiptHandleIsInvalid`",
        "ElasticMQ": "`ReceiptHandleIsInvalid`",
    },
    "receive_takes_ten_messages": {"ElasticMQ": "`InvalidAttributeValue`"},
    "receive_waits_20_seconds": {"ministack": "takes more", "ElasticMQ": "`InvalidAttributeValue`"},
    "purges_are_a_minute_apart": {"ministack": "takes it", "ElasticMQ": "takes it"},
    "empty_queue_returns_no_messages_member": {"ElasticMQ": "an empty list"},
    "encryption_is_an_attribute": {"ElasticMQ": "refuses it"},
}
# moto has no locks: these fail by chance.
RACES = {
    "one_of_many_conditional_puts_wins",
    "concurrent_adds_all_count",
    "concurrent_transactions_all_count",
}


def cases(service: str) -> list[Any]:
    return [
        pytest.param(check, engine, marks=_marks(check.__name__, engine), id=f"{check.__name__}-{engine}")
        for check in CHECKS[service]
        for engine in ENGINES[service]
    ]


def _marks(check: str, engine: str) -> list[Any]:
    difference = DIFFERENCES.get(check, {}).get(engine)
    return [pytest.mark.xfail(reason=difference, strict=check not in RACES)] if difference else []


def rows(service: str) -> Iterator[str]:
    """Yields the rows of the page's table: the rules that an engine does not follow."""
    for check in CHECKS[service]:
        if differences := DIFFERENCES.get(check.__name__):
            cells = [differences.get(engine, "✓") for engine in ENGINES[service]]
            yield " | ".join([f"| {check.__doc__} (`{check.__name__}`)", *cells]) + " |"


@pytest.mark.parametrize(("check", "engine"), cases("DynamoDB"))
def test_dynamodb_is_as_documented(check: Check, dynamodb: Any) -> None:
    check(dynamodb)


@pytest.mark.parametrize(("check", "engine"), cases("SQS"))
def test_sqs_is_as_documented(check: Check, sqs: Any) -> None:
    check(sqs)


@pytest.mark.parametrize("service", ["DynamoDB", "SQS"])
def test_page_has_exactly_the_differences(service: str) -> None:
    section = PAGE.read_text().partition(f"## {service}\n")[2].partition("\n## ")[0]
    shown = [line for line in section.splitlines() if "(`" in line]
    assert shown == list(rows(service)), "copy the table from the right side:\n" + "\n".join(rows(service))


def test_every_difference_belongs_to_a_check() -> None:
    names = {check.__name__ for checks in CHECKS.values() for check in checks}
    assert DIFFERENCES.keys() <= names
