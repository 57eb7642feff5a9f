"""Checks that a stack can be restored: `make backup-check STACK=`. Prints one line for each fault.

For the tables that stay when the stack is deleted (`DeletionPolicy` in the template that it was deployed
with), it checks point-in-time recovery, the age of its latest time, and TTL, which a restore turns off. It
also checks the key that all stored secrets need.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from tools.operations import stack as stacks
from tools.operations.stack import Stack, is_kept

# DynamoDB reports a time about 5 minutes ago.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html
OLDEST = timedelta(minutes=15)


def main() -> int:
    return check(stacks.find(stacks.setting("STACK")))


def check(stack: Stack) -> int:
    """Print the tables' latest times and the faults. Returns the exit status."""
    say(f"stack {stack.name}: point-in-time recovery and TTL of its tables, and its key")
    faults = [*table_faults(stack), *key_faults(stack)]
    for fault in faults:
        say(f"FAULT: {fault}")
    say(f"{len(faults)} faults" if faults else "the stack can be restored")
    return int(bool(faults))


def kept_tables(stack: Stack) -> dict[str, dict[str, Any]]:
    """The properties of the tables that must be kept, by logical ID, as the stack's template has them."""
    return {
        logical_id: resource["Properties"]
        for logical_id, resource in stack.declared().items()
        if resource["Type"] == "AWS::DynamoDB::Table" and is_kept(resource)
    }


def table_faults(stack: Stack) -> Iterator[str]:
    dynamodb = stack.client("dynamodb")
    for logical_id, properties in kept_tables(stack).items():
        if logical_id not in stack.resources:
            yield f"{logical_id} is in the template of the stack, but not in the stack: deploy again"
            continue
        name = stack.resources[logical_id]
        try:
            described = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
            ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        except ClientError as error:
            yield f"{logical_id} ({name}): {error.response['Error']['Message'] or error}"
            continue
        yield from recovery_faults(logical_id, name, described.get("PointInTimeRecoveryDescription", {}))
        wanted = properties.get("TimeToLiveSpecification", {}).get("AttributeName")
        if wanted and (
            ttl["TimeToLiveStatus"] not in ("ENABLED", "ENABLING") or ttl["AttributeName"] != wanted
        ):
            yield (
                f"{logical_id} ({name}): TTL is off: aws dynamodb update-time-to-live --table-name {name} "
                f"--time-to-live-specification Enabled=true,AttributeName={wanted}"
            )


def recovery_faults(logical_id: str, name: str, recovery: dict[str, Any]) -> Iterator[str]:
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        yield (
            f"{logical_id} ({name}): point-in-time recovery is off: aws dynamodb update-continuous-backups "
            f"--table-name {name} --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
        )
        return
    latest = recovery.get("LatestRestorableDateTime")
    if latest is None:
        yield f"{logical_id} ({name}): there is no time to restore to yet; check again in a few minutes"
        return
    age = datetime.now(UTC) - latest
    if age > OLDEST:
        yield f"{logical_id} ({name}): the latest time to restore to is {age} ago; ask AWS Support"
    else:
        say(f"  ok  {logical_id}: any second until {latest:%Y-%m-%d %H:%M:%S}")


def key_faults(stack: Stack) -> Iterator[str]:
    """The faults of CredentialsKey. Without it, no stored secret can be read, whatever is restored."""
    if "CredentialsKey" not in stack.resources:
        yield "CredentialsKey is not in the stack"
        return
    kms, id = stack.client("kms"), stack.resources["CredentialsKey"]
    try:
        state = kms.describe_key(KeyId=id)["KeyMetadata"]["KeyState"]
        if state == "PendingDeletion":
            yield (
                f"CredentialsKey ({id}) is going to be deleted: aws kms cancel-key-deletion --key-id {id}, "
                f"and then: aws kms enable-key --key-id {id}"
            )
        elif state != "Enabled":
            yield f"CredentialsKey ({id}) is {state}: aws kms enable-key --key-id {id}"
        elif not kms.get_key_rotation_status(KeyId=id)["KeyRotationEnabled"]:
            yield f"CredentialsKey ({id}) is not rotated: aws kms enable-key-rotation --key-id {id}"
        else:
            say("  ok  CredentialsKey is enabled and rotated")
    except ClientError as error:
        yield f"CredentialsKey ({id}): {error.response['Error']['Message'] or error}"


def say(text: str) -> None:
    print(f"backup-check: {text}", flush=True)


if __name__ == "__main__":
    stacks.run("backup-check", main)
