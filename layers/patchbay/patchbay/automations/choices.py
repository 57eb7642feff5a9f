"""Lists of choices: the IDs that an automation's fields accept, as the platform sets them."""

from __future__ import annotations

from patchbay.api_model import Empty
from patchbay.auth.principal import Principal
from patchbay.automations import store
from patchbay.automations.models import Choices, ChoicesQuery, Resource, SetChoices

_PAGE_SIZE = 100


def set_choices(resource: Resource, body: SetChoices) -> Empty:
    """Replace a workspace's list of choices. Raises PayloadTooLarge."""
    store.set_choices(body.workspace_id, resource, body.items)
    return Empty()


def list_choices(principal: Principal, resource: Resource, query: ChoicesQuery) -> Choices:
    """The choices of the caller's workspace, a hundred per page. The page after a cursor that is no longer in
    the list is empty.
    """
    items = store.choices(principal.workspace_id, resource)
    if query.cursor:
        ids = [item.id for item in items]
        items = items[ids.index(query.cursor) + 1 :] if query.cursor in ids else []
    search = query.search.casefold()
    matches = [
        item for item in items if search in item.label.casefold() or item.id.casefold().startswith(search)
    ]
    return Choices(matches[:_PAGE_SIZE])
