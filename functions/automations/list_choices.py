from patchbay.automations import choices
from patchbay.automations.models import AutomationPlatform, Choices, ChoicesQuery, Resource
from patchbay.http import Request, endpoint


@endpoint(scope="automations:use")
def handler(
    request: Request, platform: AutomationPlatform, resource: Resource, query: ChoicesQuery
) -> Choices:
    """What a field that takes an id may hold, for dropdowns."""
    return choices.list_choices(request.principal, resource, query)
