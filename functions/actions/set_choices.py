from patchbay.api_model import Empty
from patchbay.automations import choices
from patchbay.automations.models import Resource, SetChoices
from patchbay.http import endpoint


@endpoint(scope="actions:handle")
def handler(resource: Resource, body: SetChoices) -> Empty:
    """Replace a workspace's list of choices for fields that take IDs."""
    return choices.set_choices(resource, body)
