"""The audit log of a workspace: who asked the API for a change or for a secret, when, and the outcome.

Each request has one entry: an entry of the activity log that carries it (`trail`), or a separate row in the
partition `audit#<workspace>` (a workspace ID has no `#`). It has the names of the fields that a request sets,
and never a value.
"""

from __future__ import annotations

from patchbay.activity import trail as trails
from patchbay.activity.models import AuditEntry, AuditOutcome, AuditQuery
from patchbay.api_model import Listing
from patchbay.auth.principal import Principal
from patchbay.clock import from_ms
from patchbay.ids import LogId
from patchbay.settings import settings
from patchbay.storage import dynamo

# The attribute that each filter compares.
_FILTERED = {"actor": "actor", "action": "auditAction", "outcome": "outcome"}


def write(trail: trails.Trail, outcome: AuditOutcome, reason: str | None) -> None:
    """Write the entry of a request. `reason` is the code of its problem."""
    id = LogId.new()
    dynamo.put(
        settings().activity_table,
        {
            "integrationKey": trails.partition(trail.workspace_id),
            "id": id,
            "actor": trail.actor,
            "outcome": outcome,
            "reason": reason,
            "ttl": id.time_ms // 1000 + trails.KEEP_SECONDS,
            **trail.attributes(),
        },
    )


def list_entries(principal: Principal, query: AuditQuery) -> Listing[AuditEntry]:
    """The workspace's entries, newest first."""
    given = {name: getattr(query, name) for name in _FILTERED if getattr(query, name) is not None}
    filters = [f"#{name} = :{name}" for name in given]
    names = {f"#{name}": _FILTERED[name] for name in given}
    if query.target is not None:
        # A target is a path such as int_…/sales: its first part also matches everything below it.
        filters.append("(#target = :target OR begins_with(#target, :below))")
        names["#target"] = "target"
        given |= {"target": query.target, "below": f"{query.target}/"}
    page = dynamo.page(
        dynamo.PageQuery(
            settings().activity_table,
            partition=("workspaceId", principal.workspace_id),
            sort_range=("id", *LogId.range(query.since, query.until)),
            index="byWorkspace",
            extra_key_names=("integrationKey",),
            limit=query.limit,
            cursor=query.cursor,
            filter=" AND ".join(filters) or None,
            names=names,
            values=given,
        )
    )
    return Listing.from_page(page.map(_to_api))


def _to_api(row: dynamo.Row) -> AuditEntry:
    id = LogId(row["id"])
    return AuditEntry(
        id=id,
        action=row["auditAction"],
        actor=row["actor"],
        actor_label=row.get("actorLabel"),
        target=row.get("target"),
        fields=list(row.get("fields", ())),
        outcome=row["outcome"],
        reason=row.get("reason"),
        request_id=row["requestId"],
        ip=row.get("ip"),
        created_at=from_ms(id.time_ms),
    )
