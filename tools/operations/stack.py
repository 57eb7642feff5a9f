"""A stack's resources by their logical IDs, and clients for its services.

`STACK=local` is the stack of `make run` (STATE_DIR). Any other name is one of CloudFormation, in the account
and region of the environment (AWS_PROFILE, AWS_REGION).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samtranslator.yaml_helper import yaml_parse

from local import settings
from local.settings import ROOT, Problem

LOCAL = "local"

Declared = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Stack:
    """`resources` are the physical IDs by logical ID: names of tables, URLs of queues, IDs of keys.
    `declared` reads the resources of the template that the stack was deployed from, by logical ID.
    """

    name: str
    resources: dict[str, str]
    client: Callable[[str], Any]
    declared: Callable[[], Declared]

    def id(self, logical_id: str) -> str:
        """The physical ID. Raises Problem."""
        try:
            return self.resources[logical_id]
        except KeyError:
            raise Problem(
                f"the stack {self.name} has no {logical_id}: it is older than this release, or not a "
                "Patchbay stack"
            ) from None


def find(name: str) -> Stack:
    """The running stack with this name. Raises Problem."""
    if not name:
        raise Problem("set the stack: STACK=patchbay-prod, or STACK=local for the stack of `make run`")
    return local_stack() if name == LOCAL else deployed_stack(name)


def local_stack() -> Stack:
    state = settings.state_dir()
    running = settings.running_stack(state)
    if running is None:
        raise Problem(f"no stack runs with the state directory {state}: start it with `make run`")
    resources = {**running["queues"], **running["tables"], **running["ids"]}
    return Stack(
        LOCAL, resources, lambda service: settings.client(service, running["endpoints"]), checkout_resources
    )


def deployed_stack(name: str) -> Stack:
    resources = stack_resources(boto3.client("cloudformation"), name)
    if resources is None:
        raise Problem(f"there is no stack {name} in this account and region")
    return Stack(
        name,
        {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in resources},
        aws_client,
        partial(deployed_resources, boto3.client("cloudformation"), name),
    )


def aws_client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]  # the service is a variable


def stack_resources(cloudformation: Any, name: str) -> list[dict[str, Any]] | None:
    """The resources of a stack, by its name, or by its ID if it was deleted. None without such a stack."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    try:
        found = [item for page in pages for item in page["StackResourceSummaries"]]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return [item for item in found if item.get("PhysicalResourceId")]


@cache
def checkout_resources() -> Declared:
    """The resources of template.yaml here, unresolved, by logical ID."""
    resources: Declared = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    return resources


def deployed_resources(cloudformation: Any, name: str) -> Declared:
    """The resources of the template that a stack was last deployed with, after the SAM transform. The
    checkout that runs the command can be of another release.
    """
    body = cloudformation.get_template(StackName=name, TemplateStage="Processed")["TemplateBody"]
    template = yaml_parse(body) if isinstance(body, str) else body  # boto3 reads JSON itself
    resources: Declared = template["Resources"]
    return resources


def is_kept(resource: dict[str, Any]) -> bool:
    """Whether a resource of the template stays when its stack is deleted."""
    return str(resource.get("DeletionPolicy", "")).startswith("Retain")


def run(command: str, action: Callable[[], int]) -> None:
    """Exit with the action's status, and with one line for an error that the user can fix."""
    try:
        sys.exit(action())
    except Problem as problem:
        sys.exit(f"{command}: {problem}")
    except ClientError as error:
        sys.exit(f"{command}: {error}")
    except BotoCoreError as error:
        sys.exit(f"{command}: {not_called(error)}")


def not_called(error: BotoCoreError) -> str:
    """The text for an error before any request. Some of boto3's texts end with a period."""
    reason = str(error).rstrip(".")
    return f"AWS cannot be called: {reason}. Set AWS_PROFILE, and AWS_REGION if the profile has no region"


def setting(name: str) -> str:
    """A value that `make` was given, or an empty text."""
    return os.environ.get(name, "").strip()
