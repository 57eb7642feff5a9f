from patchbay.flows.dry_run import dry_run
from patchbay.flows.models import DryRun, DryRunFlow
from patchbay.http import Request, endpoint


@endpoint(scope="flows:read", unaudited="it sends and stores nothing")
def handler(request: Request, body: DryRunFlow) -> DryRun:
    """Show what a definition would do with an event. Nothing is sent or stored."""
    return dry_run(request.principal, body)
