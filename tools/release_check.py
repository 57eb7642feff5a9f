"""Rejects a build that cannot be deployed: `.venv/bin/python -m tools.release_check .aws-sam/build [--lint]`.

It finds faults that `sam build` accepts and only AWS, or the bill, shows: modules without bytecode for the
runtime, libraries for another processor than the functions', packages over Lambda's limit, and a stack
near CloudFormation's. The rules for the template itself are in stack_check.py. With --lint, cfn-lint and
parliament check it too, from .tools/sam and .tools/deploy. BASE names the previous release; by default it
is the last tag.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from local.settings import Problem
from local.transform import transformed
from tools import stack_check
from tools.sam_build import PARAMETER

# Lambda quotas: a function with its layers, unzipped. CloudFormation quotas: resources of a stack, and how
# many of them a release may use, which leaves room for the next one.
MAX_UNZIPPED = 250 * 1024 * 1024
MAX_RESOURCES = 500
MAX_RELEASE_RESOURCES = 450

# The .pyc header (PEP 552): Python 3.13's magic number, and the flags 1 (hash-based, unchecked).
PYC_SUFFIX = ".cpython-313.pyc"
PYC_HEADER = (3571).to_bytes(2, "little") + b"\r\n" + (1).to_bytes(4, "little")
# The ELF header; the machine is the 16-bit word at byte 18.
ELF_MAGIC = b"\x7fELF"
ELF_MACHINES = {"arm64": (183).to_bytes(2, "little"), "x86_64": (62).to_bytes(2, "little")}

URIS = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


@dataclass(frozen=True)
class Build:
    """A build's template, in the file `path`, and the folder of each function and layer by logical ID."""

    path: Path
    template: dict[str, Any]
    folders: dict[str, Path]


def read(path: Path) -> Build:
    """Read the build in a folder. Raises FileNotFoundError if a part of it is missing."""
    file = path / "template.yaml"
    template = yaml_parse(file.read_text())
    folders = {
        name: (path / resource["Properties"][URIS[resource["Type"]]]).resolve(strict=True)
        for name, resource in template["Resources"].items()
        if resource["Type"] in URIS
    }
    return Build(file, template, folders)


def problems(build: Build) -> list[str]:
    """Return the build's faults, one sentence each."""
    return [
        *modules_without_bytecode(build),
        *architecture_open(build),
        *libraries_for_other_machines(build),
        *packages_too_large(build),
        *resources_too_many(build),
    ]


def modules_without_bytecode(build: Build) -> Iterator[str]:
    modules = [module for folder in build.folders.values() for module in folder.rglob("*.py")]
    uncompiled = sorted(module for module in modules if not has_bytecode(module))
    if uncompiled:
        yield (
            f"{len(uncompiled)} of {len(modules)} modules have no bytecode of Python 3.13, "
            f"such as {uncompiled[0]}; build with `make build`, or name a Python 3.13 with PYTHON313="
        )


def has_bytecode(module: Path) -> bool:
    compiled = module.parent / "__pycache__" / (module.stem + PYC_SUFFIX)
    return compiled.is_file() and compiled.read_bytes().startswith(PYC_HEADER)


def architecture_open(build: Build) -> Iterator[str]:
    parameter = build.template["Parameters"][PARAMETER]
    if parameter["AllowedValues"] != [parameter["Default"]]:
        yield (
            f"the parameter {PARAMETER} can be another than the one that the layers are built for; "
            "build with `make build`"
        )


def libraries_for_other_machines(build: Build) -> Iterator[str]:
    name = build.template["Parameters"][PARAMETER]["Default"]
    for folder in build.folders.values():
        for library in sorted(folder.rglob("*.so*")):
            header = library.read_bytes()[:20]
            if header[:4] != ELF_MAGIC or header[18:] != ELF_MACHINES[name]:
                yield f"{library} is not built for Linux on {name}; run `make build ARCHITECTURE={name}`"


def packages_too_large(build: Build) -> Iterator[str]:
    for name, size in unzipped(build).items():
        if size > MAX_UNZIPPED:
            yield f"{name} and its layers are {megabytes(size)} unzipped; Lambda's limit is 250 MB"


def unzipped(build: Build) -> dict[str, int]:
    """The size of each function with its layers, in bytes."""
    sizes = {
        name: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        for name, folder in build.folders.items()
    }
    shared = build.template.get("Globals", {}).get("Function", {}).get("Layers", [])
    return {
        name: sizes[name]
        # SAM adds a function's own layers to the shared ones.
        + sum(sizes[layer["Ref"]] for layer in [*shared, *resource["Properties"].get("Layers", [])])
        for name, resource in build.template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def resources_too_many(build: Build) -> Iterator[str]:
    count = len(stack_resources(build))
    if count > MAX_RELEASE_RESOURCES:
        yield (
            f"the stack has {count} resources; a release may have {MAX_RELEASE_RESOURCES}, so that the next "
            f"one stays below CloudFormation's limit of {MAX_RESOURCES}. Let functions with the same rights "
            "share a role, or move a section of template.yaml, such as Capacity, into a nested stack"
        )


def stack_resources(build: Build) -> dict[str, Any]:
    """The CloudFormation resources of the template, from AWS's own translator, offline."""
    resources: dict[str, Any] = transformed(build.path, {})[1]["Resources"]
    return resources


def megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"


def main() -> None:
    try:
        build = read(Path(sys.argv[1]))
    except FileNotFoundError as error:
        sys.exit(f"release-check: {error.filename} not found; run `make build`")
    template = build.path
    base = stack_check.template_of(os.environ.get("BASE", ""))
    found = [*problems(build), *stack_check.problems(template, base)]
    if "--lint" in sys.argv:
        try:
            found += stack_check.lint_template(template)
            found += stack_check.lint_policies(stack_check.longest(template))
        except Problem as problem:
            found.append(str(problem))
    if found:
        sys.exit("\n".join(f"release-check: {problem}" for problem in found))
    sizes = unzipped(build)
    largest = max(sizes, key=lambda name: sizes[name])
    print(
        f"release-check: ready to deploy: {len(sizes)} functions; the largest ({largest}) has "
        f"{megabytes(sizes[largest])} of 250 MB with its layers; "
        f"{len(stack_resources(build))} of {MAX_RESOURCES} resources"
    )
    if base is None:
        print("release-check: no previous release to compare indexes with; set BASE=")


if __name__ == "__main__":
    main()
