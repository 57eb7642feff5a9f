from patchbay.automations import choices
from patchbay.automations.models import AutomationPlatform, Choices, ChoicesQuery, Resource
from patchbay.http import Request, endpoint


@endpoint(scope="automations:use")
def handler(
    request: Request, platform: AutomationPlatform, resource: Resource, query: ChoicesQuery
) -> Choices:
    """List the IDs that a field accepts, for dropdowns."""
    return choices.list_choices(request.principal, resource, query)
