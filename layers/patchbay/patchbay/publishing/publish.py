"""`POST /api/events`: an event to ten webhooks or fewer is fanned out within its request.

    accept    check and count the event; an idempotency key keeps the first ID (one write)
    fan out   load, match, write the event's row, send the deliveries, add it to feeds (fan_out.py)
    queue     the event, if it goes to more webhooks or a step failed: the worker starts from the row

The response comes after the last step. So if the caller gets a 202, either all deliveries are in their queue,
or the event is in its queue. A crash leaves:

    after the key               the event's ID, which a repeat with the key gets
    after the row               a row whose deliveries are not sent; lists show the event. The caller gets no
                                202. A repeat with the key sends the row's list; a repeat without a key is a
                                new event
    during or after the send    some or all deliveries: a repeat with the key sends the whole list again, and
                                the rows of the deliveries make the second messages obsolete
    after the event is queued   the event, which the worker fans out: a repeat finds the same row

Two concurrent repeats are two concurrent copies of one event (see fan_out.py).
"""

from __future__ import annotations

from patchbay.auth.principal import Principal
from patchbay.events import service as events
from patchbay.events.models import PublishedEvent, PublishEvent
from patchbay.publishing import fan_out


def publish(
    principal: Principal, body: PublishEvent, *, idempotency_key: str | None = None
) -> PublishedEvent:
    """Publish an event to every webhook that matches, with the same guarantee as `events.service.publish`."""
    event = events.accept(principal, body, idempotency_key=idempotency_key)
    is_new = idempotency_key is None and body.idempotency_key is None
    if not fan_out.fan_out_now(event, is_new=is_new):
        events.enqueue(event)
    return events.to_published(event)
