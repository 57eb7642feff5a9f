"""The message of the flows queue: a flow's run is to take its next step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter

from patchbay import queues
from patchbay.ids import EventId, FlowId, FlowRunId


@dataclass(frozen=True, slots=True)
class FlowMessage:
    """`sequence` is the number of steps that the run has taken: a message with a lower one is obsolete."""

    workspace_id: str
    flow_id: FlowId
    event_id: EventId
    correlation_id: str
    sequence: int = 0

    @classmethod
    def read(cls, text: str) -> FlowMessage:
        """Parse a message. Raises ValueError."""
        return _message().validate_json(text)

    @property
    def run_id(self) -> FlowRunId:
        """The run of the flow for the event: always the same."""
        return FlowRunId.derived(self.event_id, self.flow_id)

    def to_queue(self) -> queues.Message:
        """A workspace's messages are one group, so that its flows delay other workspaces as little as
        possible.
        """
        values = {name: getattr(self, name) for name in self.__slots__}
        return queues.Message.from_value(values, self.workspace_id)


@cache
def _message() -> TypeAdapter[FlowMessage]:
    return TypeAdapter(FlowMessage)
