"""The running stack: starts its parts, reloads them on changes, and stops them."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from watchfiles import Change, awatch

from local import gateway, parameters, schedules, services, settings, sign_in, sources
from local.asgi import Server, listen
from local.lambda_api import PREFIX, LambdaApi
from local.logs import Logs
from local.runtime import Runtime
from local.settings import ENDPOINT_VARIABLES, Problem, for_make, jwt_secret, stack_file
from local.sqs import Sqs
from local.template import Function, Template

DEBOUNCE_MS = 200
# The functions that people call first. Their processes start in the background, so that first calls are fast;
# each needs 25 MB until it has been idle for 5 minutes. WARM=0 turns this off.
WARMED = (
    "HealthFunction",
    "GetCallerFunction",
    "CreateWebhookFunction",
    "CreateApiKeyFunction",
    "PublishEventFunction",
    "FanOutFunction",
    "DeliverSlowFunction",
    "GetEventFunction",
    "ListDeliveriesFunction",
    "ListWebhooksFunction",
    "GetWebhookFunction",
    "DeliverFunction",
    "ListEventsFunction",
    "ListAllDeliveriesFunction",
    "GetDeliveryFunction",
    "CreatePortalSessionFunction",
    "GetConsoleFileFunction",
    "ExchangePortalCodeFunction",
    "GetWorkspaceFunction",
    "ListApiKeysFunction",
    "CreateIntegrationFunction",
    "ListIntegrationsFunction",
    "InitiateOAuthFunction",
    "CreateFlowFunction",
    "ListFlowsFunction",
)
_DELETED_SECONDS = 1  # between two checks that the state directory still exists


@dataclass(frozen=True)
class Options:
    """The options of the local stack."""

    state: Path
    template: Path
    given: tuple[str, ...] = ()
    port: int = 8787
    env_vars: Path | None = None


@dataclass(frozen=True)
class Stack:
    """A parsed and checked template."""

    template: Template
    functions: dict[str, Function]
    api: gateway.Api
    sources: list[sources.Source]
    schedules: list[schedules.Schedule]

    @property
    def folders(self) -> set[Path]:
        """The folders with the functions' code."""
        return {folder for f in self.functions.values() for folder in (f.code, *f.layers)}


@dataclass(frozen=True)
class Parts:
    """The data services and the functions' runtime."""

    ministack: services.Ministack
    sqs: Sqs
    runtime: Runtime
    endpoints: dict[str, str]


def read(options: Options, endpoints: Mapping[str, str]) -> Stack:
    """Read the template, and create its resources in the data services. Raises `Problem`."""
    endpoints = dict(endpoints)
    given = parameters.read(options.given)
    try:
        if not given.get("JwksUrl"):
            secret = jwt_secret(options.state)
            given.setdefault("JwtSecretArn", services.jwt_secret_arn(endpoints, secret))
        template = Template(options.template, given)
        for pair in options.given:
            if (name := pair.partition("=")[0]) not in template.declared:
                raise Problem(f"the template has no parameter {name}")
        template.endpoints = endpoints
        template.identities = services.identify(template, endpoints)
        stack = Stack(
            template,
            _with_variables(template.functions(), options.env_vars),
            gateway.read(template),
            sources.read(template),
            schedules.read(template),
        )
        services.create(template, endpoints)
    except (ClientError, BotoCoreError) as error:
        raise Problem(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise Problem(f"{options.template.name} is not valid: {error!r}") from error
    return stack


def _with_variables(functions: dict[str, Function], file: Path | None) -> dict[str, Function]:
    """The functions with the file's environment variables, which override their own. Raises `Problem`."""
    if file is None:
        return functions
    try:
        given: dict[str, dict[str, str]] = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise Problem(f"cannot read {file}: {error}") from None
    if unknown := sorted(given.keys() - functions.keys()):
        raise Problem(f"{file.name}: the template has no function {', '.join(unknown)}")
    return {
        logical_id: replace(function, environment=(*function.environment, *given.get(logical_id, {}).items()))
        for logical_id, function in functions.items()
    }


@contextlib.asynccontextmanager
async def data_services(options: Options, logs: Logs, http: str = "") -> AsyncIterator[Parts]:
    """Start ministack, the proxy of SQS and the functions' runtime, and stop them after the block."""
    async with contextlib.AsyncExitStack() as cleanup:
        ministack = await services.Ministack.start(options.state)
        cleanup.push_async_callback(ministack.stop)
        # Endpoints in the environment take precedence, so that the stack can run on other emulators.
        endpoints = {
            service: os.environ.get(variable) or ministack.url
            for service, variable in ENDPOINT_VARIABLES.items()
        }
        sqs = Sqs(endpoints["sqs"])
        cleanup.push_async_callback(sqs.close)
        runtime = Runtime(logs.output)
        lambda_api = LambdaApi(runtime)

        async def front(scope: Any, receive: Any, send: Any) -> None:
            await (lambda_api if scope["path"].startswith(PREFIX) else sqs)(scope, receive, send)

        server = await Server.start(front, listen(0))
        cleanup.push_async_callback(server.stop)
        cleanup.push_async_callback(runtime.stop)
        endpoints |= {"sqs": server.url, "lambda": server.url, "http": http}
        yield Parts(ministack, sqs, runtime, endpoints)


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """Hold the lock of the state directory. Raises `Problem` if another runner has it."""
    settings.create(state)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(f"another stack is using {state}: stop it, or set STATE_DIR") from None
        yield


def _deleted(state: Path, inode: int) -> bool:
    """Whether the state directory whose lock file is this inode was deleted or replaced."""
    try:
        return (state / "lock").stat().st_ino != inode
    except FileNotFoundError:
        return True


# Runs once the tables exist, and before anything else uses them.
Prepare = Callable[[Stack, Mapping[str, str]], Awaitable[None]]


async def serve(
    options: Options,
    logs: Logs,
    prepare: Prepare | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Run the stack until cancelled. `prepare` gets the stack and its endpoints before it serves, and `ready`
    its URL afterwards.
    """
    with alone(options.state), contextlib.closing(listen(options.port)) as listener:
        stack_file(options.state).unlink(missing_ok=True)  # left behind by a killed runner
        logs.say("starting the data services …")
        url = "http://{}:{}".format(*listener.getsockname())
        async with data_services(options, logs, url) as parts:
            logs.say("creating tables and queues from the template …")
            await parts.runtime.prepare()
            stack = await asyncio.to_thread(read, options, parts.endpoints)
            if unknown := sorted(parameters.read().keys() - stack.template.declared):
                logs.say(f"note: the template has no {', '.join(unknown)} ({parameters.FILE.name})")
            if prepare:
                await prepare(stack, parts.endpoints)
            runner = _Runner(options, logs, parts, stack)
            # Only tests run a stack on a free port.
            known = settings.announced(options.state, url) if options.port else contextlib.nullcontext()
            with known:
                async with runner.serving(listener):
                    logs.say(welcome(url, stack, options.state))
                    if ready:
                        ready(url)
                    await runner.watch()


class _Runner:
    """Serves a stack, and replaces it on reload."""

    def __init__(self, options: Options, logs: Logs, parts: Parts, stack: Stack) -> None:
        self.options, self.logs, self.parts, self.stack = options, logs, parts, stack
        self.gateway = gateway.Gateway(parts.runtime, logs.access, logs.begin)
        self.sources = sources.Sources(parts.sqs, parts.runtime, logs.note)
        self._warming: asyncio.Task[None] | None = None
        self.schedules = schedules.Schedules(parts.runtime, logs)

    @contextlib.asynccontextmanager
    async def serving(self, listener: Any) -> AsyncIterator[None]:
        self.take(self.stack, set())
        console = sign_in.app(self.parts.endpoints["http"], self.options.state)

        async def front(scope: Any, receive: Any, send: Any) -> None:
            await (console if scope["path"] == sign_in.PATH else self.gateway)(scope, receive, send)

        server = await Server.start(front, listener)
        self.parts.runtime.changed = self.describe
        self.describe()
        if os.environ.get("WARM") != "0":
            self._warming = asyncio.create_task(self.parts.runtime.warm(WARMED, lambda: self.gateway.busy))
        try:
            yield
        finally:
            if self._warming:
                self._warming.cancel()
            stack_file(self.options.state).unlink(missing_ok=True)
            self.parts.runtime.changed = None
            self.schedules.stop()
            await self.sources.stop()
            await server.stop()

    def take(self, stack: Stack, changed: set[Path]) -> None:
        """Serve this stack from now on. Processes that may have read one of the `changed` files end."""
        self.stack = stack
        self.parts.runtime.update(stack.functions, self.parts.endpoints, changed)
        self.gateway.api = stack.api
        self.sources.update(stack.sources)
        self.schedules.update(stack.schedules)

    async def watch(self) -> None:
        """Reload on every change. Raises `Problem` when ministack exits or the state directory is deleted."""
        ended = asyncio.create_task(self.parts.ministack.process.wait())
        reloads = asyncio.create_task(self._reload())
        deleted = asyncio.create_task(self._until_deleted())
        tasks = {ended, reloads, deleted}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if reloads.done():
                reloads.result()
            if deleted.done():
                self.parts.ministack.saves = False  # saving would create the directory again
                raise Problem(
                    f"the state directory {self.options.state} was deleted, so the stack has stopped. "
                    "Start it again with `make run`"
                )
            raise Problem(f"ministack exited unexpectedly; see its log {self.parts.ministack.log}")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_deleted(self) -> None:
        inode = (self.options.state / "lock").stat().st_ino
        while not _deleted(self.options.state, inode):  # noqa: ASYNC110 - nothing signals the deletion
            await asyncio.sleep(_DELETED_SECONDS)

    async def _reload(self) -> None:
        while True:
            folders = self.stack.folders
            async with contextlib.aclosing(_changes(self.options.template, folders)) as changes:
                async for changed in changes:
                    await self._apply(changed)
                    if self.stack.folders != folders:
                        break

    async def _apply(self, changed: set[Path]) -> None:
        settings = changed & {self.options.template, parameters.FILE}
        stack = self.stack
        if settings:
            try:
                stack = await asyncio.to_thread(read, self.options, self.parts.endpoints)
            except Problem as problem:
                self.logs.say(f"not reloaded; the previous version keeps running: {problem}")
                return
        self.take(stack, changed)
        self.describe()
        names = sorted(path.name for path in changed)
        self.logs.say(f"reloaded: {', '.join(names[:3])}{' …' if len(names) > 3 else ''}")

    def describe(self) -> None:
        """Write the description of the running stack, for tests and the other commands."""
        template = self.stack.template
        endpoints = self.parts.endpoints
        document = {
            "url": endpoints["http"],
            "endpoints": endpoints,
            "parameters": template.parameters,
            "functions": {i: f.name for i, f in self.stack.functions.items()},
            "queues": {
                queue.logical_id: template.queue_url(queue.logical_id)
                for queue in template.of_type("AWS::SQS::Queue")
            },
            "tables": {
                table.logical_id: template.name(table.logical_id)
                for table in template.of_type("AWS::DynamoDB::Table")
            },
            "ids": template.identities,
            "pids": {
                "runner": os.getpid(),
                "ministack": self.parts.ministack.process.pid,
                "functions": self.parts.runtime.pids(),
            },
        }
        path = stack_file(self.options.state)
        fresh = path.with_suffix(".new")
        with contextlib.suppress(
            FileNotFoundError
        ):  # the state directory was deleted, so `watch` ends the stack
            fresh.write_text(json.dumps(document, indent=1))
            fresh.replace(path)


async def _changes(template: Path, folders: set[Path]) -> AsyncGenerator[set[Path], None]:
    """Yield the changed files: settings, and all files in the folders except those of tools."""
    settings = {template, parameters.FILE}

    def counts(_: Change, name: str) -> bool:
        path = Path(name)
        if path in settings:
            return True
        inside = any(path.is_relative_to(folder) for folder in folders)
        return inside and "__pycache__" not in path.parts and not path.name.startswith(".")

    # Editors replace files, so folders are watched; those of the settings are not watched recursively.
    queue: asyncio.Queue[set[Path]] = asyncio.Queue()

    async def watch(paths: set[Path], recursive: bool) -> None:
        async for changes in awatch(
            *paths, watch_filter=counts, recursive=recursive, debounce=DEBOUNCE_MS, step=50
        ):
            queue.put_nowait({Path(name) for _, name in changes})

    async with asyncio.TaskGroup() as group:
        watchers = [
            group.create_task(watch({path.parent for path in settings}, False)),
            group.create_task(watch(folders, True)),
        ]
        try:
            while True:
                yield await queue.get()
        finally:
            for watcher in watchers:
                watcher.cancel()


async def invoke(
    options: Options, logs: Logs, function: str, event: bytes, endpoints: Any
) -> tuple[bytes, bool]:
    """Invoke one function in a new process. Returns its response, and whether it failed. `endpoints` are
    those of a running stack, or None to start the data services for this call.
    """
    async with contextlib.AsyncExitStack() as cleanup:
        if endpoints is None:
            cleanup.enter_context(alone(options.state))
            parts = await cleanup.enter_async_context(data_services(options, logs))
            endpoints, runtime = parts.endpoints, parts.runtime
        else:
            runtime = Runtime(logs.output)
            cleanup.push_async_callback(runtime.stop)
        stack = await asyncio.to_thread(read, options, endpoints)
        runtime.update(stack.functions, endpoints, set())
        answer = await runtime.invoke(function, event)
        return answer.payload, answer.fault is not None


def welcome(url: str, stack: Stack, state: Path) -> str:
    """The text on the terminal when the stack is ready."""
    paths = {r.path for r in stack.api.routes if r.method == "GET" and r.path and "{" not in r.path}
    plain = sorted(paths - set(sign_in.PAGES), key=len)
    public = next((path for path in plain if path.endswith("/health")), None)
    other = next((path for path in plain if path != public), None)
    lines = ["", f"  {url}  ({len(stack.functions)} functions; press Ctrl-C to stop)", ""]
    jwks = stack.template.parameters.get("JwksUrl")
    if sign_in.PAGES[0] in paths and not jwks:
        lines += [
            f"  {sign_in.address(url, state)}",
            "      opens the console as an owner of the workspace acme",
            "",
        ]
    if public:
        lines.append(f"  curl {url}{public}")
    if jwks:
        lines += [
            f"  This stack accepts only tokens of your login, signed with a key in {jwks}:",
            f'  curl -H "Authorization: Bearer $(cat token)" {url}/api/me',
        ]
        return "\n".join([*lines, ""])
    # This stack rejects tokens of another state directory.
    token = f"token WORKSPACE=acme{for_make(state)}"
    lines.append(f"  make {token}      prints a development token for a workspace")
    if other:
        lines.append(f'  curl -H "Authorization: Bearer $(make -s {token})" {url}{other}')
    return "\n".join([*lines, ""])
