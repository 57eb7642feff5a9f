"""Lets the containers of `sam local` use the running stack: `make sam-local`.

Needs a build for this machine (`make sam-local` makes it). Writes two things next to the built template: the
values of the functions' environment variables, and the sample events with tokens that the stack accepts.
The stack listens only on 127.0.0.1, which containers cannot reach, so this program relays connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from samtranslator.yaml_helper import yaml_parse

from local.settings import CREDENTIALS, ENDPOINT_VARIABLES, HOST, REGION, ROOT, Problem, running_stack
from local.template import Template
from local.token import fill

BUILD = ROOT / ".aws-sam/local"
VARIABLES = "env.json"
NETWORK = "patchbay"  # also in samconfig.toml
# The name of this machine in Docker Desktop, which relays connections itself.
_DESKTOP = "host.docker.internal"


def prepare(build: Path, state: Path, described: Mapping[str, Any], host: str) -> None:
    """Complete a build for `sam local`: a container reaches the described stack at `host`."""
    _declare_endpoints(build / "template.yaml")
    (build / VARIABLES).write_text(json.dumps(variables(described, host), indent=1))
    for sample in (ROOT / "events").rglob("*.json"):
        copy = build / "events" / sample.relative_to(ROOT / "events")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(fill(state, sample.read_text()))


def variables(described: Mapping[str, Any], host: str) -> dict[str, dict[str, str]]:
    """The environment of each function, by logical ID, in the format of `sam local --env-vars`."""
    template = Template(ROOT / "template.yaml", described["parameters"])
    template.identities, template.endpoints = described["ids"], described["endpoints"]
    found = {}
    for name, function in template.functions().items():
        values = dict(function.environment) | _local(described["endpoints"])
        found[name] = {
            key: value.replace(f"http://{HOST}:", f"http://{host}:") for key, value in values.items()
        }
    return found


def _local(endpoints: Mapping[str, str]) -> dict[str, str]:
    """Variables that no deployed function has. They keep SAM off the developer's account and region."""
    addresses = {variable: endpoints[service] for service, variable in ENDPOINT_VARIABLES.items()}
    return {
        **CREDENTIALS,
        **addresses,
        "AWS_SESSION_TOKEN": "",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def _declare_endpoints(template: Path) -> None:
    """`sam local` passes only variables that the template declares."""
    document = yaml_parse(template.read_text())
    declared = document["Globals"]["Function"]["Environment"]["Variables"]
    declared |= dict.fromkeys(_local(dict.fromkeys(ENDPOINT_VARIABLES, "")), "")
    template.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def ensure_network(name: str, *options: str) -> str:
    """This machine's address in a Docker network, which is created if needed. Raises `Problem`."""
    addresses = "{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}}{{end}}"
    inspect = ["network", "inspect", "--format", addresses, name]
    found = _docker(*inspect)
    if found.returncode:
        created = _docker("network", "create", *options, name)
        if created.returncode:
            raise Problem(f"`sam local` needs a running Docker: {created.stderr.strip()}")
        found = _docker(*inspect)
    subnet, *address = found.stdout.split()
    return address[0] if address else str(ip_network(subnet)[1])  # Docker's default


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        raise Problem("`sam local` needs Docker: install it and start it") from None


@contextlib.asynccontextmanager
async def relayed(described: Mapping[str, Any], address: str) -> AsyncIterator[str]:
    """Relay connections to the described stack during the block. Yields the host that containers use."""
    urls = {url for service, url in described["endpoints"].items() if service in ENDPOINT_VARIABLES}
    ports = {port for url in urls if (port := urlsplit(url).port)}
    async with contextlib.AsyncExitStack() as cleanup:
        for port in ports:
            try:
                server = await asyncio.start_server(_Relay(port), address, port)
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise Problem(f"cannot listen on {address}:{port}: {error.strerror}") from None
                yield _DESKTOP  # Docker runs in a virtual machine
                return
            cleanup.push_async_callback(server.wait_closed)
            cleanup.callback(server.close)
        yield address


class _Relay:
    """Connects a client to a port of the loopback interface."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(HOST, self.port)
        except OSError:  # the stack has stopped
            writer.close()
            return
        await asyncio.gather(_copy(reader, upstream_writer), _copy(upstream_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def serve(state: Path) -> None:
    """Prepare the build, and relay until the program is stopped. Raises `Problem`."""
    described = running_stack(state)
    if described is None:
        raise Problem(
            "no stack is running: start it with `make run` in another terminal, and then run this again"
        )
    if not (BUILD / "template.yaml").is_file():
        raise Problem(f"no build in {BUILD.relative_to(ROOT)}: run `make sam-local`")
    async with relayed(described, ensure_network(NETWORK)) as host:
        prepare(BUILD, state, described, host)
        print(welcome(), flush=True)
        await asyncio.Event().wait()


def welcome() -> str:
    """The text on the terminal when `sam local` can be used."""
    sam = ".tools/sam/bin/sam local"
    return f"""
  `sam local` uses the running stack while this runs; press Ctrl-C to stop.

  {sam} invoke CreateWebhookFunction -e {(BUILD / "events/webhooks/create.json").relative_to(ROOT)}
  {sam} start-api      serves the API on http://127.0.0.1:3000
  {sam} start-lambda   serves all functions to boto3 and the AWS CLI on http://127.0.0.1:3001
"""
