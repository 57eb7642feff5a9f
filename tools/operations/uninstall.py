"""Deletes a stack and all that it leaves behind: `make uninstall STACK=patchbay-dev CONFIRM=patchbay-dev`.

Without CONFIRM it only lists. It deletes in this order: the stack, the kept tables, the bucket of exports
with its files, log groups and layers, the artifacts of `make deploy`, and the KMS key last. Each step can be
repeated: it skips missing resources. CloudFormation lists the resources of a deleted stack for 90 days,
so a run after one that was interrupted, or after `sam delete`, finds what is left.

A resource that another stack owns now (an import) is not touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from local.settings import Problem
from tools.operations import stack as stacks
from tools.operations import tables
from tools.operations.restore_drill import SUFFIX
from tools.operations.stack import LOCAL, stack_resources

KEY_DAYS = range(7, 31)  # that KMS allows
POLL_SECONDS = 5.0
_MOST_LOOKS = 12
SAM_STACK = "aws-sam-cli-managed-default"  # of `sam deploy --resolve-s3`
# The services' error codes for a missing resource.
_GONE = {"ResourceNotFoundException", "NotFoundException", "NoSuchBucket", "404", "ResourceNotFound"}
_LAYERS = ("dependencies", "patchbay", "reference", "console")


@dataclass
class Found:
    """The existing resources of a stack. `live` is its ID, unless it is deleted."""

    live: str | None
    tables: set[str]
    buckets: set[str]
    log_groups: set[str]
    keys: set[str]
    layers: set[tuple[str, int]]  # names and versions


def main() -> int:
    name = stacks.setting("STACK")
    if not name:
        raise Problem("set the stack: STACK=patchbay-dev")
    if name == LOCAL:
        raise Problem("to uninstall the local stack, stop it and delete its state directory, .patchbay")
    days = read_days(stacks.setting("DAYS"))
    return uninstall(name, stacks.setting("CONFIRM") == name, days, stacks.aws_client)


def read_days(text: str) -> int:
    """The days until KMS deletes the key. Raises Problem."""
    if not text:
        return KEY_DAYS[-1]
    if not text.isdigit() or int(text) not in KEY_DAYS:
        raise Problem(f"DAYS must be a number from {KEY_DAYS[0]} to {KEY_DAYS[-1]}")
    return int(text)


def uninstall(name: str, is_confirmed: bool, days: int, client: Callable[[str], Any]) -> int:
    """List the existing resources; if confirmed, delete them. Returns the exit status."""
    found, artifacts = find(client, name), artifact_bucket(client("cloudformation"))
    describe(name, found, artifacts, days)
    if not is_confirmed:
        say(f"nothing was deleted. To delete everything: make uninstall STACK={name} CONFIRM={name}")
        return 1
    if found.live:
        delete_stack(client("cloudformation"), name, found.live)
    for table in sorted(found.tables):
        delete(f"table {table}", delete_table, client("dynamodb"), table)
    for bucket in sorted(found.buckets):
        delete(f"bucket {bucket}", delete_bucket, client("s3"), bucket)
    for group in sorted(found.log_groups):
        delete(f"log group {group}", client("logs").delete_log_group, logGroupName=group)
    for layer, version in sorted(found.layers):
        text = f"version {version} of layer {layer}"
        delete(text, client("lambda").delete_layer_version, LayerName=layer, VersionNumber=version)
    if artifacts:
        delete(f"the artifacts in s3://{artifacts}/{name}/", empty, client("s3"), artifacts, f"{name}/")
    for key in sorted(found.keys):
        delete_key(client("kms"), key, days)
    return report(client, name, artifacts)


# ── existing resources ───────────────────────────────────────────────────────────────────────────────


def find(client: Callable[[str], Any], name: str) -> Found:
    """The resources of the stack and of deleted stacks with its name. Raises Problem if none existed."""
    cloudformation = client("cloudformation")
    live, ids = stack_ids(cloudformation, name)
    if not ids:
        raise Problem(f"there is no stack {name} in this account and region, and none was deleted in 90 days")
    if live:
        check_protection(cloudformation, name, live)
    resources = [
        (id, item["ResourceType"], item["PhysicalResourceId"])
        for id in ids
        for item in [
            *(stack_resources(cloudformation, id) or []),
            *(past_resources(cloudformation, id) if id != live else []),
        ]
    ]

    def existing(kind: str, is_there: Callable[[str], bool]) -> set[str]:
        """The resources that exist, and that no other stack has taken over."""
        owners: dict[str, set[str]] = {}
        for id, found_kind, physical in resources:
            if found_kind == kind:
                owners.setdefault(physical, set()).add(id)
        return {
            physical
            for physical, own in owners.items()
            if is_there(physical) and (live in own or not is_owned(cloudformation, physical))
        }

    dynamodb = client("dynamodb")
    stack_tables = existing("AWS::DynamoDB::Table", partial(tables.is_there, dynamodb))
    names = {physical + SUFFIX for _, kind, physical in resources if kind == "AWS::DynamoDB::Table"}
    side_tables = {side for side in names if tables.is_there(dynamodb, side)}
    groups = existing_log_groups(client("logs"), {physical for _, _, physical in resources})
    return Found(
        live=live,
        tables=stack_tables | side_tables,
        buckets=existing("AWS::S3::Bucket", exists(client("s3").head_bucket, "Bucket")),
        log_groups=groups,
        keys=existing("AWS::KMS::Key", lambda key: is_usable(client("kms"), key)),
        layers=layer_versions(client("lambda"), name),
    )


def stack_ids(cloudformation: Any, name: str) -> tuple[str | None, list[str]]:
    """The ID of the stack, unless it is deleted, and of all stacks with its name in the last 90 days."""
    live, ids = None, []
    for page in cloudformation.get_paginator("list_stacks").paginate():
        for summary in page["StackSummaries"]:
            if summary["StackName"] == name:
                ids.append(summary["StackId"])
                if summary["StackStatus"] != "DELETE_COMPLETE":
                    live = summary["StackId"]
    return live, ids


def past_resources(cloudformation: Any, id: str) -> list[dict[str, Any]]:
    """The resources that a deleted stack had, from its events. Not all engines list them as its resources."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=id)
    events = [event for page in pages for event in page["StackEvents"]]
    return [event for event in events if event.get("PhysicalResourceId")]


def check_protection(cloudformation: Any, name: str, id: str) -> None:
    [described] = cloudformation.describe_stacks(StackName=id)["Stacks"]
    if described.get("EnableTerminationProtection"):
        raise Problem(
            f"the stack {name} is protected. To remove the protection: aws cloudformation "
            f"update-termination-protection --no-enable-termination-protection --stack-name {name}"
        )


def is_owned(cloudformation: Any, physical_id: str) -> bool:
    """Whether a stack that is not deleted has the resource."""
    try:
        owners = cloudformation.describe_stack_resources(PhysicalResourceId=physical_id)["StackResources"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":  # no stack has it
            return False
        raise
    return any(not owner["ResourceStatus"].startswith("DELETE_") for owner in owners)


def exists(call: Callable[..., Any], parameter: str) -> Callable[[str], bool]:
    """A check for existence, with a call that fails for a missing resource."""

    def check(name: str) -> bool:
        try:
            call(**{parameter: name})
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return False
            raise
        return True

    return check


def is_usable(kms: Any, key: str) -> bool:
    """Whether a key exists whose deletion is not scheduled yet."""
    if not exists(kms.describe_key, "KeyId")(key):
        return False
    return bool(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion")


def existing_log_groups(logs: Any, physical_ids: set[str]) -> set[str]:
    """A stack's log groups, including those that Lambda recreates if a function ends after its group."""
    wanted = physical_ids | {f"/aws/lambda/{id}" for id in physical_ids}
    pages = logs.get_paginator("describe_log_groups").paginate()
    return wanted & {group["logGroupName"] for page in pages for group in page["logGroups"]}


def layer_versions(functions: Any, stack: str) -> set[tuple[str, int]]:
    """The versions of the stack's layers, by name. Each update of the stack leaves some."""
    found = set()
    for layer in _LAYERS:
        name = f"{stack}-{layer}"
        for page in functions.get_paginator("list_layer_versions").paginate(LayerName=name):
            found |= {(name, int(item["Version"])) for item in page["LayerVersions"]}
    return found


def artifact_bucket(cloudformation: Any) -> str | None:
    """The bucket to which `make deploy` uploads its build. All stacks of the region share it."""
    try:
        [stack] = cloudformation.describe_stacks(StackName=SAM_STACK)["Stacks"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    outputs = {output["OutputKey"]: str(output["OutputValue"]) for output in stack.get("Outputs", [])}
    return outputs.get("SourceBucket")


def describe(name: str, found: Found, artifacts: str | None, days: int) -> None:
    say(f"this deletes the stack {name} with all of its data:")
    say(f"  the stack itself{'' if found.live else ': already deleted'}")
    for kind, names in (
        ("table", found.tables),
        ("bucket", found.buckets),
        ("log group", found.log_groups),
        ("key", found.keys),
    ):
        for each in sorted(names):
            say(f"  {kind} {each}{f', {days} days after this command' if kind == 'key' else ''}")
    for layer, version in sorted(found.layers):
        say(f"  version {version} of layer {layer}; functions of other stacks keep it until their update")
    if artifacts:
        say(f"  the artifacts in s3://{artifacts}/{name}/")


# ── the deletion ─────────────────────────────────────────────────────────────────────────────────────


def delete_stack(cloudformation: Any, name: str, id: str) -> None:
    """Delete the stack, and wait. Raises Problem if CloudFormation cannot."""
    cloudformation.delete_stack(StackName=id)
    before = -1
    while True:
        [stack] = cloudformation.describe_stacks(StackName=id)["Stacks"]
        status = stack["StackStatus"]
        if status == "DELETE_COMPLETE":
            say(f"deleted stack {name}")
            return
        resources = stack_resources(cloudformation, id) or []
        if status == "DELETE_FAILED":
            reasons = [
                f"  {item['LogicalResourceId']}: {item.get('ResourceStatusReason', 'no reason')}"
                for item in resources
                if item["ResourceStatus"] == "DELETE_FAILED"
            ]
            raise Problem("\n".join([f"the stack {name} could not be deleted:", *reasons]))
        left = sum(not item["ResourceStatus"].startswith("DELETE_") for item in resources)
        if left != before:
            say(f"deleting the stack: {left} resources remaining")
        before = left
        time.sleep(POLL_SECONDS)


def delete(text: str, call: Callable[..., Any], *arguments: object, **options: object) -> None:
    """Make a call that deletes something. A missing resource is not an error. One that cannot be deleted does
    not stop the rest: the report lists it.
    """
    try:
        call(*arguments, **options)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            say(f"CANNOT DELETE {text}: {error.response['Error']['Message'] or error}")
            return
    say(f"deleted {text}")


def delete_table(dynamodb: Any, table: str) -> None:
    tables.delete(dynamodb, [table], POLL_SECONDS, say)


def delete_bucket(s3: Any, bucket: str) -> None:
    empty(s3, bucket, "")
    s3.delete_bucket(Bucket=bucket)


def empty(s3: Any, bucket: str, prefix: str) -> None:
    """Delete all versions of the objects below a prefix, and incomplete uploads."""
    count = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in versions]
        if objects:
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            if errors := answer.get("Errors"):
                raise Problem(f"{errors[0]['Key']} in {bucket} cannot be deleted: {errors[0]['Message']}")
        count += len(objects)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    say(f"deleted {count} objects in s3://{bucket}/{prefix}")


def delete_key(kms: Any, key: str, days: int) -> None:
    end = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)["DeletionDate"]
    say(
        f"key {key} will be deleted on {end:%Y-%m-%d}. Until then: aws kms cancel-key-deletion --key-id {key}"
    )


def report(client: Callable[[str], Any], name: str, artifacts: str | None) -> int:
    """Check again, and print what is left. Returns the exit status."""
    for _ in range(_MOST_LOOKS):
        left = find(client, name)
        remaining = [
            *(f"table {table}" for table in left.tables),
            *(f"bucket {bucket}" for bucket in left.buckets),
            *(f"log group {group}" for group in left.log_groups),
            *(f"key {key}" for key in left.keys),
            *(f"version {version} of layer {layer}" for layer, version in left.layers),
        ]
        if not remaining:
            break
        time.sleep(POLL_SECONDS)  # some services list deleted resources for a while
    say("not deleted, because other stacks use it or it was never part of the stack:")
    say("  the secret with the key for tokens (JwtSecretArn), certificates, and your own SNS topic")
    if artifacts:
        say(f"  {artifacts}, the bucket of the SAM CLI, which all stacks of the region share")
    say("  for 35 days, without cost, the backups that DynamoDB makes of deleted tables")
    say("  until they expire: metrics (15 months), X-Ray traces (30 days), CloudTrail's events (90 days)")
    say("  the account's service-linked roles, such as the one of autoscaling")
    for each in sorted(remaining):
        say(f"STILL THERE: {each}")
    return int(bool(remaining or left.live))


def say(text: str) -> None:
    print(f"uninstall: {text}", flush=True)


if __name__ == "__main__":
    stacks.run("uninstall", main)
