"""The field errors of a 422: paths, messages and limits."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from patchbay.api_model import ApiModel, validate
from patchbay.catalogue.entries import check_data
from patchbay.errors import FieldError, ValidationFailed

SECRET = "a-secret-value"


class Item(ApiModel):
    item_name: Annotated[str, Field(max_length=3)]


class Body(ApiModel):
    items: list[Item]
    count: int = 0


def errors_of(value: object) -> list[FieldError]:
    with pytest.raises(ValidationFailed) as raised:
        validate(Body, value)
    assert SECRET not in f"{raised.value} {raised.value.errors}"
    return list(raised.value.errors)


def test_path_has_the_names_of_the_api() -> None:
    assert errors_of({"items": [{"itemName": "a"}, {"itemName": SECRET}]}) == [
        FieldError("items.1.itemName", "must have at most 3 characters")
    ]
    assert errors_of({"items": [{"item_name": "a"}]}) == [
        FieldError("items.0.itemName", "is missing"),
        FieldError("items.0.item_name", "unknown field; did you mean `itemName`?"),
    ]
    assert errors_of(SECRET) == [FieldError("body", "must be an object")]


def test_detail_has_the_first_error_and_counts_the_others() -> None:
    with pytest.raises(ValidationFailed, match=r"^items: is missing \(and 1 more\)$"):
        validate(Body, {"count": SECRET})


def test_errors_and_paths_are_limited() -> None:
    with pytest.raises(ValidationFailed, match=r"\(and 30 more\)$") as raised:
        validate(Body, {f"{number:03}{'ä' * 500}": SECRET for number in range(30)})
    assert len(raised.value.errors) == 20
    assert max(len(error.path.encode()) for error in raised.value.errors) <= 200


def test_json_schema_errors_have_the_same_form() -> None:
    with pytest.raises(ValidationFailed, match=r"^data\.\w+: is missing \(and \d+ more\)$") as raised:
        check_data("POST_FAILED", {})
    assert {error.message for error in raised.value.errors} == {"is missing"}
