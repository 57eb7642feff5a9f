"""Builds, checks and deploys a stack without prompts: `make deploy ENV=dev PARAMETERS="Name=Value …"`.

The values of parameters come from these sources, in this order: PARAMETERS, samconfig.toml, the deployed
stack, the template's defaults. Before anything is built, they are checked as CloudFormation checks them, and
times that must ascend are compared; those of PARAMETERS and samconfig.toml also before AWS is called. Each
deployment has a release text, from the version and the values, so that a changed value reaches the functions
that have an alias.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samtranslator.yaml_helper import yaml_parse

from local.intrinsics import Resolver, parameter_values
from local.settings import ROOT, Problem
from patchbay.version import VERSION
from tools.operations.stack import not_called
from tools.sam_build import SAM
from tools.stack_check import MAX_STACK_NAME

_ENVIRONMENTS = ("dev", "prod")


def main() -> None:
    try:
        environment = read_environment(os.environ.get("ENV", ""))
        deploy(environment, read_pairs(os.environ.get("PARAMETERS", "")))
    except Problem as problem:
        sys.exit(f"deploy: {problem}")


def read_environment(name: str) -> str:
    if name not in _ENVIRONMENTS:
        raise Problem("set the environment: make deploy ENV=dev, or ENV=prod")
    return name


def read_pairs(text: str) -> dict[str, str]:
    """`Name=Value` pairs, separated by spaces. A value with spaces is in quotes."""
    try:
        pairs = shlex.split(text)
    except ValueError as error:
        raise Problem(f"PARAMETERS cannot be read: {error}") from None
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Problem(f'PARAMETERS has {pair!r}; it must be "Name=Value Name=Value …"')
        values[name] = value
    return values


def deploy(environment: str, given: Mapping[str, str]) -> None:
    config = read_config(environment)
    stack = str(config["stack_name"])
    declared: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    configured = read_pairs(config["parameter_overrides"])
    chosen = {**configured, **given}
    check_given(declared, chosen)
    deployed = deployed_values(stack)
    known = declared["Parameters"].keys()
    # The stack can have parameters that the template no longer has.
    kept = {name: deployed[name] for name in known & deployed.keys()}
    region = str(boto3.session.Session().region_name)
    values = checked_values(declared, {**kept, **chosen}, stack, environment, region)
    release = release_text(values)
    say(f"stack {stack}, {'an update' if deployed else 'its first deployment'}, release {release}")
    run("make", "build", f"ARCHITECTURE={values['Architecture']}")
    run("make", "release-check")
    overrides = [f'{name}="{value}"' for name, value in {**chosen, "Release": release}.items()]
    run(
        *SAM,
        "deploy",
        "--config-env",
        environment,
        "--no-confirm-changeset",
        "--no-fail-on-empty-changeset",
        "--parameter-overrides",
        *overrides,
    )
    say("done. To check the deployment: make smoke URL=<ApiUrl> (see docs/operate/deploy.md)")


def read_config(environment: str) -> dict[str, Any]:
    """The settings of `sam deploy` in samconfig.toml."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    settings: dict[str, Any] = config[environment]["deploy"]["parameters"]
    if len(settings["stack_name"]) > MAX_STACK_NAME:
        raise Problem(
            f"the stack's name, {settings['stack_name']}, is longer than {MAX_STACK_NAME} characters; "
            "shorten it in samconfig.toml"
        )
    return settings


def deployed_values(stack: str) -> dict[str, str]:
    """The parameters of the deployed stack; none if there is no such stack."""
    try:
        [found] = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code == "ValidationError" and "does not exist" in text:
            return {}
        raise Problem(f"CloudFormation refused to describe the stack {stack}: {text}") from None
    except BotoCoreError as error:
        raise Problem(not_called(error)) from None
    if found["StackStatus"] == "REVIEW_IN_PROGRESS":  # a change set was created but never executed
        return {}
    if found["StackStatus"] == "ROLLBACK_COMPLETE":
        raise Problem(
            f"the first deployment of {stack} failed, and CloudFormation cannot update what is left of it: "
            f"delete it with `.tools/sam/bin/sam delete --stack-name {stack}`, and deploy again"
        )
    return {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])}


def check_given(template: Mapping[str, Any], values: Mapping[str, str]) -> None:
    """Check some parameters, independently of the others. Raises Problem for unknown and wrong ones."""
    parameters: Mapping[str, Mapping[str, Any]] = template["Parameters"]
    if unknown := sorted(values.keys() - parameters.keys()):
        raise Problem(
            f"the template has no parameter {', '.join(unknown)}; docs/reference/configuration.md lists them"
        )
    parameter_values({name: parameters[name] for name in values}, values)
    check_order(values)


def checked_values(
    template: Mapping[str, Any], values: Mapping[str, str], stack: str, environment: str, region: str
) -> dict[str, str]:
    """All parameters with their values. Raises Problem for missing, unknown and wrong ones."""
    parameters: Mapping[str, Mapping[str, Any]] = template["Parameters"]
    check_given(template, values)
    missing = [name for name in parameters if "Default" not in parameters[name] and name not in values]
    if not values.get("JwksUrl") and not values.get("JwtSecretArn"):
        missing.append("JwksUrl")
    if missing:
        lines = [f"  {name}: {parameters[name]['Description']}" for name in missing]
        if "JwksUrl" in missing:
            lines.append(f"  or JwtSecretArn: {parameters['JwtSecretArn']['Description']}")
        example = " ".join(f"{name}=…" for name in missing)
        raise Problem(
            f"the stack {stack} needs values for:\n"
            + "\n".join(lines)
            + "\nGive them once, and later only to change them: "
            + f'make deploy ENV={environment} PARAMETERS="{example}"'
        )
    checked = {name: str(value) for name, value in parameter_values(parameters, values).items()}
    Resolver(dict(template), checked, {"AWS::Region": region}, no_attribute).check_rules()
    check_order(checked)
    return checked


def check_order(values: Mapping[str, str]) -> None:
    """Compare the given values of times, which CloudFormation's rules cannot compare. Raises Problem."""
    times = {
        name: int(values[name])
        for name in (
            "AttemptTimeoutSeconds",
            "DeliverFunctionTimeoutSeconds",
            "DeliveryLeaseSeconds",
            "DeliveryVisibilitySeconds",
        )
        if name in values
    }
    if any(first >= second for first, second in pairwise(times.values())):
        *names, last = times
        raise Problem(
            f"{', '.join(names)} and {last} must ascend, and they are {', '.join(map(str, times.values()))}"
        )
    function, visibility = times.get("DeliverFunctionTimeoutSeconds"), times.get("DeliveryVisibilitySeconds")
    if function and visibility and visibility < 6 * function:
        raise Problem(
            f"DeliveryVisibilitySeconds must be at least {6 * function}, "
            "six times DeliverFunctionTimeoutSeconds"
        )


def no_attribute(logical_id: str, name: str | None) -> str:
    raise Problem(f"a rule of the template refers to {logical_id}.{name}, which is no parameter")


def release_text(values: Mapping[str, str]) -> str:
    """The version and a digest of the values."""
    lines = sorted(f"{name}={value}" for name, value in values.items() if name != "Release")
    return f"{VERSION} {hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:12]}"


def say(text: str) -> None:
    print(f"deploy: {text}", flush=True)


def run(*command: str) -> None:
    """Run a command without a standard input, so that it cannot ask. Exits with its status if it fails."""
    status = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode
    if status:
        sys.exit(status)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
