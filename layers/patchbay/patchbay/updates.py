"""Updates with the object that was read: GET, edit, PUT.

A PUT accepts the fields that only Patchbay sets if they are sent back unchanged, so that a caller can send
the whole object. The models declare these fields: `Update.read_only` of an update names the model of its
resource, and `Volatile` marks the fields that change without a caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from pydantic import PrivateAttr

from patchbay import compact_json
from patchbay.api_model import ApiModel
from patchbay.clock import is_time, read_time
from patchbay.errors import FieldError, check_version
from patchbay.field_errors import validation_failed

_VERSION = "version"


class Volatile:
    """Marks a field of a resource's model that changes without a caller, such as its statistics. An update
    accepts any value of it.
    """


VOLATILE = Volatile()


@dataclass(frozen=True)
class ReadOnly:
    """The fields that an update may send back unchanged: those of the resource's `model` that it lacks.

    `name` is the resource's name in error texts, and `see` says how else to change a field. `volatile` has
    the fields that only the response to a GET has.
    """

    model: type[ApiModel]
    name: str
    see: Mapping[str, str]
    volatile: frozenset[str] = field(default_factory=frozenset)

    def fields(self, update: type[ApiModel]) -> frozenset[str]:
        """The JSON names of the read-only fields."""
        own = {info.alias for info in update.model_fields.values()}
        shown = {info.alias or name for name, info in self.model.model_fields.items() if not info.exclude}
        return self.volatile.union(shown) - own

    def volatile_fields(self) -> frozenset[str]:
        return self.volatile.union(
            info.alias or name
            for name, info in self.model.model_fields.items()
            if any(isinstance(mark, Volatile) for mark in info.metadata)
        )


class Update(ApiModel):
    """The base class of the models of updates. The service calls `check_read_only` with what is stored."""

    read_only: ClassVar[ReadOnly]

    _sent_back: dict[str, object] = PrivateAttr(default_factory=dict)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        # Not a wrap validator: its handler accepts fields by their Python names (pydantic-core 2.13).
        names = cls.read_only.fields(cls) if isinstance(obj, dict) else frozenset()
        sent_back = {name: obj[name] for name in names.intersection(obj)} if names else {}
        own = {name: value for name, value in obj.items() if name not in sent_back} if sent_back else obj
        update = super().model_validate(own, **options)
        update._sent_back = sent_back
        return update

    def check_read_only(self, current: ApiModel, version: int) -> None:
        """Raises ValidationFailed if the caller has changed a read-only field of `current`, the resource as
        the API returns it. A `version` has the effect of `If-Match`: if it is not the current one, this
        raises the same error.
        """
        if not self._sent_back:
            return
        rules = self.read_only
        sent_version = self._sent_back.get(_VERSION)
        if type(sent_version) is int:
            check_version(rules.name, version, sent_version)
        shown = current.model_dump(mode="json", by_alias=True)
        volatile = rules.volatile_fields()
        errors = [
            FieldError(name, f"is read-only; {rules.see.get(name, 'send the current value, or omit it')}")
            for name, value in self._sent_back.items()
            if name not in volatile and not _is_same(value, shown[name])
        ]
        if errors:
            raise validation_failed(errors)


def _is_same(sent: object, shown: object) -> bool:
    """Whether two JSON values are equal. Times may be spelled differently: some clients parse them."""
    if isinstance(sent, str) and isinstance(shown, str) and sent != shown:
        return is_time(sent) and is_time(shown) and read_time(sent) == read_time(shown)
    return compact_json.canonical(sent) == compact_json.canonical(shown)
