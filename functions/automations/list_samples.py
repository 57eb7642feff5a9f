from patchbay.automations import hooks
from patchbay.automations.models import AutomationPlatform, SampleQuery, Samples, TriggerKey
from patchbay.http import Request, endpoint


@endpoint(scope="automations:use")
def handler(
    request: Request, platform: AutomationPlatform, event_type: TriggerKey, query: SampleQuery
) -> Samples:
    """List the newest events of a type, in the format that hooks receive."""
    return hooks.samples(request.principal, event_type, query)
