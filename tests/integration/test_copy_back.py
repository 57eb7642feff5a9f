"""`make copy-back`: which rows of a restored table it lists and copies, and that it never overwrites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.settings import Problem
from tests.conftest import Backend
from tests.integration.conftest import Pipeline
from tests.integration.test_operations import stack_of
from tools.operations import copy_back, tables
from tools.operations.copy_back import SUFFIX, owner, read_keys, read_switch

WEBHOOKS = "WebhooksTable"


class Changed:
    """A DynamoDB client with some of its calls replaced."""

    def __init__(self, dynamodb: Any, **calls: Any) -> None:
        self._dynamodb = dynamodb
        vars(self).update(calls)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dynamodb, name)


class Copies:
    """Creates copies of tables, as a restore does, and runs the command on them."""

    def __init__(self, backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
        self.backend, self.dynamodb, self._capsys = backend, backend.client("dynamodb"), capsys
        self.stack = stack_of(backend)
        self.made: list[str] = []

    def make(self, logical_id: str, suffix: str = SUFFIX) -> str:
        """Copy a table with its current rows. Returns the name of the copy."""
        name = self.stack.id(logical_id)
        described = self.dynamodb.describe_table(TableName=name)["Table"]
        keys = [key["AttributeName"] for key in described["KeySchema"]]
        types = [item for item in described["AttributeDefinitions"] if item["AttributeName"] in keys]
        self.dynamodb.create_table(
            TableName=name + suffix,
            KeySchema=described["KeySchema"],
            AttributeDefinitions=types,
            BillingMode="PAY_PER_REQUEST",
        )
        self.made.append(name + suffix)
        for row in self.rows(name):
            self.dynamodb.put_item(TableName=name + suffix, Item=row)
        return name + suffix

    def change(self, **calls: Any) -> None:
        """Replace calls of the command's DynamoDB client."""
        self.stack = replace(self.stack, client=lambda service: Changed(self.dynamodb, **calls))

    def rows(self, table: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
        return items

    def run(self, logical_id: str = WEBHOOKS, copy: str = "", **options: Any) -> list[str]:
        """Run the command. Returns the list that it prints, sorted."""
        self._capsys.readouterr()
        assert copy_back.copy_back(self.stack, logical_id, copy, **options) == 0
        printed = self._capsys.readouterr()
        self.said = printed.err
        return sorted(printed.out.splitlines())


@pytest.fixture
def copies(backend: Backend, capsys: pytest.CaptureFixture[str]) -> Iterator[Copies]:
    made = Copies(backend, capsys)
    yield made
    for name in made.made:
        made.dynamodb.delete_table(TableName=name)


def lines(webhook: Any) -> list[str]:
    return [f"acme sub#POST_PUBLISHED#{webhook['id']}", f"acme {webhook['id']}"]


def delete(pipeline: Pipeline, webhook: Any) -> None:
    assert pipeline.api(f"DELETE /api/integrations/webhooks/{webhook['id']}").status == 200


def state(backend: Backend) -> dict[str, Any]:
    [row] = [each for each in backend.rows(WEBHOOKS) if each["sk"] == "count"]
    return row


def test_nothing_is_missing(copies: Copies, pipeline: Pipeline) -> None:
    pipeline.webhook("https://receiver.example/")
    copies.make(WEBHOOKS)
    assert copies.run() == []
    assert "no row is missing" in copies.said


def test_missing_rows_are_listed_and_copied_and_get_events_again(copies: Copies, pipeline: Pipeline) -> None:
    lost, kept = (pipeline.webhook(f"https://{name}.example/") for name in ("lost", "kept"))
    pipeline.publish()  # caches the subscriptions
    copies.make(WEBHOOKS)
    delete(pipeline, lost)
    before = copies.backend.rows(WEBHOOKS)
    assert copies.run(workspace="acme") == lines(lost)
    assert "acme: 2 rows are missing" in copies.said
    assert copies.backend.rows(WEBHOOKS) == before  # nothing was written

    assert copies.run(workspace="acme", write=True) == lines(lost)
    assert "acme: 2 rows copied back" in copies.said
    assert "acme has 2 webhooks" in copies.said
    assert state(copies.backend)["webhooks"] == 2
    event = pipeline.api(f"GET /api/events/{pipeline.publish()}").json()
    assert {each["webhookId"] for each in event["deliveries"]} == {lost["id"], kept["id"]}
    assert copies.run(workspace="acme") == []


def test_secrets_are_not_printed(copies: Copies, pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("https://receiver.example/")
    copies.make(WEBHOOKS)
    delete(pipeline, webhook)
    assert "receiver.example" not in "".join(copies.run(workspace="acme", write=True)) + copies.said


def test_existing_rows_are_not_overwritten(copies: Copies, pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("https://receiver.example/")
    copies.make(WEBHOOKS)
    line = f"PUT /api/integrations/webhooks/{webhook['id']}"
    assert pipeline.api(line, json={"name": "renamed"}).status == 200
    assert copies.run(workspace="acme", write=True) == []
    names = [row["name"] for row in copies.backend.rows(WEBHOOKS) if row["sk"] == webhook["id"]]
    assert names == ["renamed"]


def test_row_that_is_created_meanwhile_is_not_overwritten(copies: Copies, pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("https://receiver.example/")
    copies.make(WEBHOOKS)
    delete(pipeline, webhook)
    table = copies.stack.id(WEBHOOKS)
    theirs = {"workspaceId": {"S": "acme"}, "sk": {"S": webhook["id"]}, "name": {"S": "theirs"}}

    def write_after_the_look(**options: Any) -> Any:
        answer = copies.dynamodb.batch_get_item(**options)
        copies.dynamodb.put_item(TableName=table, Item=theirs)
        return answer

    copies.change(batch_get_item=write_after_the_look)
    assert copies.run(workspace="acme", write=True) == lines(webhook)[:1]
    assert f"exists by now: acme {webhook['id']}" in copies.said
    assert theirs in copies.rows(table)


def test_only_the_rows_of_a_file_are_copied(copies: Copies, pipeline: Pipeline, tmp_path: Path) -> None:
    wanted, other = (pipeline.webhook(f"https://{name}.example/") for name in ("wanted", "other"))
    copies.make(WEBHOOKS)
    for webhook in (wanted, other):
        delete(pipeline, webhook)
    file = tmp_path / "missing.txt"
    file.write_text("\n".join([*lines(wanted), "", "acme whk_typo", ""]))
    keys = read_keys(str(file))
    assert copies.run(wanted=keys) == lines(wanted)
    assert copies.run(wanted=keys, write=True) == lines(wanted)
    assert "1 lines of KEYS are not among the missing rows, such as: acme whk_typo" in copies.said
    assert copies.run(workspace="acme") == lines(other)
    # The same command completes a run that was killed before it updated the count.
    table, key = copies.stack.id(WEBHOOKS), {"workspaceId": {"S": "acme"}, "sk": {"S": "count"}}
    copies.dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET webhooks = :none",
        ExpressionAttributeValues={":none": {"N": "0"}},
    )
    assert copies.run(wanted=keys, write=True) == []
    assert state(copies.backend)["webhooks"] == 1


def test_expired_rows_and_rows_of_other_workspaces_are_left_out(copies: Copies) -> None:
    copy = copies.make(WEBHOOKS)
    rows = [("acme", "run_1", "1"), ("acme", "run_2", "99999999999"), ("acme-2", "run_3", "99999999999")]
    for workspace, sk, ttl in rows:
        row = {"workspaceId": {"S": workspace}, "sk": {"S": sk}, "ttl": {"N": ttl}}
        copies.dynamodb.put_item(TableName=copy, Item=row)
    assert copies.run(workspace="acme") == ["acme run_2"]
    assert copies.run() == ["acme run_2", "acme-2 run_3"]


def test_more_rows_than_a_batch_are_read_to_the_end(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = copies.make("DeliveriesTable")
    for number in range(150):
        row = {"webhookKey": {"S": "acme#whk_1"}, "sk": {"S": f"{number:03}"}}
        copies.dynamodb.put_item(TableName=copy, Item=row)
        if number % 2:
            copies.dynamodb.put_item(TableName=copies.stack.id("DeliveriesTable"), Item=row)
    pauses: list[float] = []
    monkeypatch.setattr(tables.time, "sleep", pauses.append)

    def read_30_of_the_keys(RequestItems: dict[str, Any]) -> Any:
        [(table, request)] = RequestItems.items()
        now, later = ({**request, "Keys": keys} for keys in (request["Keys"][:30], request["Keys"][30:]))
        answer = copies.dynamodb.batch_get_item(RequestItems={table: now})
        return {**answer, "UnprocessedKeys": {table: later} if later["Keys"] else {}}

    copies.change(batch_get_item=read_30_of_the_keys)
    found = copies.run("DeliveriesTable", workspace="acme")
    assert found == [f"acme#whk_1 {number:03}" for number in range(0, 150, 2)]
    assert len(pauses) == 4


def test_each_row_belongs_to_its_workspace() -> None:
    rows = {
        "key_1": ("id", {"id": "key_1", "workspaceId": "acme"}),
        "count of keys": ("id", {"id": "count#acme"}),
        "choices": ("id", {"id": "choices#acme#boards"}),
        "run": ("id", {"id": "run_1", "runsKey": "acme#zapier"}),
        "announcements": ("workspaceId", {"workspaceId": "announced#acme"}),
        "delivery": ("webhookKey", {"webhookKey": "acme#whk_1"}),
        "log": ("integrationKey", {"integrationKey": "acme#int_1", "workspaceId": "acme"}),
    }
    for what, (partition, row) in rows.items():
        item = {name: {"S": value} for name, value in row.items()}
        assert owner(item, partition) == "acme", what
    for text in ("#marketplace", "active#acme"):
        assert owner({"workspaceId": {"S": text}}, "workspaceId") == text
    assert owner({"webhookKey": {"S": "count#whk_1"}}, "webhookKey") == "count"


@pytest.mark.parametrize("table", ["", "Webhooks", "SessionsTable"])
def test_wrong_table_names_the_right_ones(copies: Copies, table: str) -> None:
    with pytest.raises(Problem, match=r"TABLE= one of ActivityTable, .*WebhooksTable"):
        copies.run(table)


def test_missing_and_wrong_copies_are_refused(copies: Copies) -> None:
    table, other = copies.stack.id(WEBHOOKS), copies.make("FeedsTable")
    with pytest.raises(Problem, match=f"no table {table}{SUFFIX}"):
        copies.run()
    with pytest.raises(Problem, match="no table typo"):
        copies.run(copy="typo")
    for wrong in (table, other):
        with pytest.raises(Problem, match=f"{wrong} is not a copy of {table}"):
            copies.run(copy=wrong)


def test_copies_of_other_tables_and_unfinished_ones_are_refused(copies: Copies) -> None:
    copies.make("TasksTable")
    status, source = "ACTIVE", copies.stack.id("EventsTable")

    def describe_as_restored(TableName: str) -> Any:
        answer = copies.dynamodb.describe_table(TableName=TableName)
        if TableName.endswith(SUFFIX):
            arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{source}"
            answer["Table"] |= {"RestoreSummary": {"SourceTableArn": arn}, "TableStatus": status}
        return answer

    copies.change(describe_table=describe_as_restored)
    with pytest.raises(Problem, match=f"but of {source}"):
        copies.run("TasksTable")
    source = copies.stack.id("TasksTable")
    assert copies.run("TasksTable") == []
    status = "CREATING"
    with pytest.raises(Problem, match="wait until it is restored"):
        copies.run("TasksTable")


def test_nothing_is_written_before_rows_are_selected(copies: Copies) -> None:
    with pytest.raises(Problem, match="list the rows first"):
        copies.run(write=True)


def test_other_errors_are_not_hidden(copies: Copies, pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("https://receiver.example/")
    copies.make(WEBHOOKS)
    delete(pipeline, webhook)

    def deny(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutItem")

    copies.change(put_item=deny)
    with pytest.raises(ClientError, match="AccessDenied"):
        copies.run(workspace="acme", write=True)


def test_settings_are_checked(tmp_path: Path) -> None:
    assert read_keys("") is None
    (tmp_path / "empty").write_text("\n \n")
    for file, text in (("missing", "cannot read KEYS="), ("empty", "has no lines")):
        with pytest.raises(Problem, match=text):
            read_keys(str(tmp_path / file))
    assert [read_switch(text) for text in ("", "0", "1")] == [False, False, True]
    with pytest.raises(Problem, match="WRITE must be 1"):
        read_switch("yes")
