"""The commands of the local stack. The Makefile runs them: `make run`, `make token`, `make invoke`, …"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import signal
import sys
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from local import kill_workers, receiver, token
from local.settings import ROOT, Problem, port_of, running_stack, state_dir


def main() -> int:
    arguments = _arguments()
    try:
        result: int = arguments.command(arguments)
        return result
    except Problem as problem:
        if os.environ.get("VERBOSE"):
            raise
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except OSError as error:  # a file of the state directory cannot be read or written
        if os.environ.get("VERBOSE") or not str(error.filename or "").startswith(str(state_dir())):
            raise
        print(f"error: cannot use STATE_DIR: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=".venv/bin/python -m local", description="Patchbay on one machine.")
    commands = parser.add_subparsers(required=True)
    stack = argparse.ArgumentParser(add_help=False)
    stack.add_argument("--template", type=Path, default=ROOT / "template.yaml")
    stack.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE")
    stack.add_argument(
        "--env-vars",
        type=Path,
        metavar="FILE",
        help='environment variables of functions, as in `sam local`: {"Function": {"NAME": "value"}}',
    )

    run = commands.add_parser("run", parents=[stack], help="serve the template (PORT, STATE_DIR, VERBOSE)")
    run.set_defaults(command=_run)
    demo = commands.add_parser("demo", parents=[stack], help="serve the template with sample data")
    demo.add_argument("--hours", type=int, help="hours of history")
    demo.add_argument("--events", type=int, help="events in these hours")
    demo.add_argument("--rows", type=int, help="additional events and deliveries of one webhook")
    demo.add_argument("--seed", type=int, help="seed of the sample data")
    demo.add_argument("--now", type=int, help="when the history ends, in Unix milliseconds", dest="now_ms")
    demo.add_argument(
        "--per-minute", type=float, default=12, help="events per minute after the history; 0 for none"
    )
    demo.set_defaults(command=_demo)
    invoke = commands.add_parser("invoke", parents=[stack], help="invoke one function and print its response")
    invoke.add_argument("function", help="the function's logical ID in the template")
    event = invoke.add_mutually_exclusive_group()
    event.add_argument(
        "event",
        nargs="?",
        metavar="FILE",
        help="a JSON file with the event; - is standard input; default: an empty event",
    )
    event.add_argument(
        "-e", "--event", dest="event_option", metavar="FILE", help="the same, as in `sam local`"
    )
    invoke.set_defaults(command=_invoke)
    commands.add_parser("token", help="print a JWT (WORKSPACE, and SCOPE or ROLE)").set_defaults(
        command=lambda _: token.main(state_dir())
    )
    commands.add_parser(
        "receiver", help="print the webhooks that arrive (SECRET_FILE or SECRET, STATUS)"
    ).set_defaults(command=lambda _: receiver.main())
    commands.add_parser(
        "kill-workers", help="kill the delivery workers of the running stack (FUNCTION)"
    ).set_defaults(command=lambda _: kill_workers.main(state_dir()))
    commands.add_parser(
        "containers", help="let the containers of `sam local` use the running stack"
    ).set_defaults(command=_containers)
    return parser.parse_args()


def _options(arguments: argparse.Namespace) -> Any:
    from local.run import Options

    if "ENCRYPTION_KEY" in os.environ:  # deployed functions also reject it
        raise Problem("ENCRYPTION_KEY is set, but Patchbay encrypts only with KMS: unset it")
    return Options(
        state=state_dir(),
        template=arguments.template.resolve(),
        given=(*shlex.split(os.environ.get("PARAMETERS", "")), *arguments.parameter),
        port=port_of("PORT", "8787"),
        env_vars=arguments.env_vars,
    )


def _run(arguments: argparse.Namespace) -> int:
    from local.logs import Logs
    from local.run import serve

    asyncio.run(_until_signal(serve(_options(arguments), Logs())))
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from local.demo import run as demo
    from local.demo.history import Amount
    from local.logs import Logs

    names = ("now_ms", "hours", "events", "rows", "seed")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    stack = _options(arguments)
    if not os.environ.get("STATE_DIR"):
        stack = replace(stack, state=demo.DEFAULT_STATE)
    options = demo.Options(
        stack,
        Amount(**{"now_ms": int(time.time() * 1000), **given}),
        port_of("PLATFORM_PORT", "3000"),
        arguments.per_minute,
    )
    asyncio.run(_until_signal(demo.serve(options, Logs())))
    return 0


def _invoke(arguments: argparse.Namespace) -> int:
    from local.logs import Logs
    from local.run import invoke

    options = _options(arguments)
    file = arguments.event_option or arguments.event
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text() if file else "{}"
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"cannot read {file}: {error}") from None
    event = token.fill(options.state, text).encode()
    running = running_stack(options.state)
    answer = asyncio.run(
        _until_signal(
            invoke(
                options,
                Logs(sys.stderr),
                arguments.function,
                event,
                running and running["endpoints"],
            )
        )
    )
    if answer is None:
        return 130
    payload, failed = answer
    print(payload.decode())
    return int(failed)


def _containers(_: argparse.Namespace) -> int:
    from local.containers import serve

    asyncio.run(_until_signal(serve(state_dir())))
    return 0


async def _until_signal(work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result, or None if a signal cancelled the work. Later signals do not interrupt it."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if not stopped:
            raise
        return None


if __name__ == "__main__":
    sys.exit(main())
