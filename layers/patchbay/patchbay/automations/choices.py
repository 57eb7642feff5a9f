"""Lists to choose from: what the platform lets an automation's fields take ids of."""

from __future__ import annotations

from patchbay.api_model import Empty
from patchbay.auth.principal import Principal
from patchbay.automations import store
from patchbay.automations.models import Choices, ChoicesQuery, Resource, SetChoices

_PAGE = 100


def set_choices(resource: Resource, body: SetChoices) -> Empty:
    """Replace what a workspace may choose from. Raises PayloadTooLarge."""
    store.set_choices(body.workspace_id, resource, body.items)
    return Empty()


def list_choices(principal: Principal, resource: Resource, query: ChoicesQuery) -> Choices:
    """What the caller's workspace may choose from, a hundred at a time. After a cursor that is no longer in
    the list nothing follows.
    """
    items = store.choices(principal.workspace_id, resource)
    if query.cursor:
        places = [at for at, item in enumerate(items) if item.id == query.cursor]
        items = items[places[0] + 1 :] if places else []
    wanted = query.search.casefold()
    found = [
        item for item in items if wanted in item.label.casefold() or item.id.casefold().startswith(wanted)
    ]
    return Choices(found[:_PAGE])
