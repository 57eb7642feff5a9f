from patchbay.api_model import Empty
from patchbay.automations import choices
from patchbay.automations.models import Resource, SetChoices
from patchbay.http import endpoint


@endpoint(scope="actions:handle")
def handler(resource: Resource, body: SetChoices) -> Empty:
    """What a workspace may choose from in fields that take ids."""
    return choices.set_choices(resource, body)
