"""The commands, and what they have in common: options, the client, errors as exit codes."""

from __future__ import annotations

import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command

from patchbay_sdk import (
    AuthenticationFailed,
    ConnectionFailed,
    Forbidden,
    NotFound,
    PatchbayError,
    __version__,
)
from patchbay_sdk.cli import context
from patchbay_sdk.cli.commands import (
    account,
    connections,
    deliveries,
    ensure,
    events,
    keys,
    listen,
    verify,
    webhooks,
)
from patchbay_sdk.cli.output import Exit, Format, advise, fail


class _Commands(TyperGroup):
    """Accepts --json after the command, too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        options = [arg for arg in args[:end] if arg == "--json"]
        return super().parse_args(ctx, [*options[:1], *(arg for arg in args[:end] if arg != "--json"), *args[end:]])


app = typer.Typer(
    name="patchbay",
    cls=_Commands,
    help="Webhooks, events, API keys and connections of Patchbay.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("login", rich_help_panel="Account")(account.login)
app.command("logout", rich_help_panel="Account")(account.logout)
app.command("whoami", rich_help_panel="Account")(account.whoami)
app.command("listen", rich_help_panel="Develop")(listen.listen)
app.command("trigger", rich_help_panel="Develop")(events.trigger)
app.command("verify", rich_help_panel="Develop")(verify.verify)
app.command("ensure", rich_help_panel="Operate")(ensure.ensure)
_GROUPS = ("webhooks", "deliveries", "keys", "connections")
for group in (events.app, webhooks.app, deliveries.app, keys.app, connections.app):
    app.add_typer(group, rich_help_panel="Operate")


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"patchbay {__version__}")
        raise typer.Exit


@app.callback()
def options(
    url: Annotated[str, typer.Option(envvar="PATCHBAY_URL", help="The URL of the deployment.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Webhooks, events, API keys and connections of Patchbay.

    Log in once with [bold]patchbay login[/], or set PATCHBAY_URL and PATCHBAY_API_KEY.

    Exit codes: 0 success, 1 failed, 2 usage, 3 credentials, 4 not found, 5 no answer, 6 differences.
    """
    Format.json = json
    context.url = url


def run() -> NoReturn:
    """Run the command, and exit with one of the codes in `Exit`."""
    try:
        _described(get_command(app))()
    except (PatchbayError, ValueError, OSError) as error:
        fail(error)
        if advice := _advice(error):
            advise(advice)
        sys.exit(_exit_code(error))
    sys.exit(Exit.OK)


def _described(command: Any) -> Any:
    """Let the help of a command show the names of values instead of Python's types. Returns the command."""
    get_help_option = command.get_help_option
    command.get_help_option = lambda context: _named(get_help_option(context))  # Typer makes --help on demand
    for parameter in command.params:
        _named(parameter)
    for subcommand in getattr(command, "commands", {}).values():
        _described(subcommand)
    return command


def _named(parameter: Any) -> Any:
    if parameter is None:
        return None
    if parameter.metavar is None:
        parameter.metavar = "" if getattr(parameter, "is_flag", False) else parameter.name.upper().replace("_", "-")
    if parameter.param_type_name == "argument":
        parameter.display_type = lambda _: ""  # the name is already shown
    return parameter


def _advice(error: Exception) -> str:
    """What to do next, if the error does not say so."""
    match error:
        case AuthenticationFailed():
            return "Log in with a valid key: patchbay login. If PATCHBAY_API_KEY is set, it takes precedence."
        case Forbidden():
            return "To see your scopes, run: patchbay whoami"
        case NotFound() if group := next((name for name in sys.argv[1:] if name in _GROUPS), None):
            return f"To see the IDs, run: patchbay {group} list"
        case ConnectionFailed():
            return "Check the address in --url, in PATCHBAY_URL, or that you logged in to."
    return ""


def _exit_code(error: Exception) -> Exit:
    match error:
        case AuthenticationFailed() | Forbidden() | context.NotLoggedIn():
            return Exit.UNAUTHENTICATED
        case NotFound():
            return Exit.NOT_FOUND
        case ConnectionFailed():
            return Exit.UNREACHABLE
        case ValueError() | FileNotFoundError() | IsADirectoryError():
            return Exit.USAGE
        case _:
            return Exit.FAILED
