"""`tools.operations.tables`: DynamoDB deletes tables in the background, but not while it restores them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.operations import tables, uninstall


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": f"it says {code}"}}, "DeleteTable")


class DynamoDb:
    """A fake whose tables go through these states, one for each call. The last state stays."""

    def __init__(self, **states: list[str | None]) -> None:
        self.states = states
        self.deleted: list[str] = []

    def describe_table(self, TableName: str) -> dict[str, Any]:
        states = self.states[TableName]
        state = states.pop(0) if len(states) > 1 else states[0]
        if state is None:
            raise refusal("ResourceNotFoundException")
        return {"Table": {"TableStatus": state}}

    def delete_table(self, TableName: str) -> None:
        if self.states[TableName][0] == "CREATING":
            raise refusal("ResourceInUseException")
        self.deleted.append(TableName)


def test_deletion_is_waited_for() -> None:
    dynamodb = DynamoDb(one=["ACTIVE", "DELETING", "DELETING", None], two=[None])
    said: list[str] = []
    tables.delete(dynamodb, ["two", "one"], 0, said.append)
    assert dynamodb.deleted == ["one"]
    assert said == ["waiting for one (DELETING)"]


def test_table_that_is_being_restored_is_deleted_afterwards() -> None:
    dynamodb = DynamoDb(one=["CREATING", "CREATING", "ACTIVE", None])
    tables.delete(dynamodb, ["one"], 0, lambda text: None)
    assert dynamodb.deleted == ["one"]


def test_what_is_left_is_named_with_the_command_that_deletes_it() -> None:
    dynamodb = DynamoDb(one=["CREATING"])
    said: list[str] = []

    def interrupted(text: str) -> None:
        said.append(text)
        if text.startswith("waiting"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tables.delete(dynamodb, ["one"], 0, interrupted)
    assert said[-1] == "LEFT: aws dynamodb delete-table --table-name one"


@pytest.mark.parametrize(("state", "expected"), [("ACTIVE", True), ("DELETING", False), (None, False)])
def test_table_that_is_being_deleted_counts_as_gone(state: str | None, expected: bool) -> None:
    assert tables.is_there(DynamoDb(one=[state]), "one") is expected


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("AccessDeniedException", "CANNOT DELETE bucket b: it says AccessDeniedException"),
        ("NoSuchBucket", "deleted bucket b"),
    ],
)
def test_uninstall_goes_on_after_what_it_cannot_delete(
    code: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise refusal(code)

    uninstall.delete("bucket b", refuse)
    assert text in capsys.readouterr().out
