"""SQS calls within the quotas of SQS."""

from __future__ import annotations

from typing import Any

import pytest

from patchbay import aws, queues


def test_change_visibility_sends_ten_messages_per_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def call(service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        assert (service, operation) == ("sqs", "ChangeMessageVisibilityBatch")
        calls.append(params)
        # A message that SQS rejects becomes visible by itself, so this is not an error.
        return {"Failed": [{"Id": "0", "Code": "MessageNotInflight"}]}

    monkeypatch.setattr(aws, "call", call)
    queues.change_visibility("url", [(f"receipt-{n}", n) for n in range(12)])
    assert [len(params["Entries"]) for params in calls] == [10, 2]
    assert calls[1]["Entries"] == [
        {"Id": "0", "ReceiptHandle": "receipt-10", "VisibilityTimeout": 10},
        {"Id": "1", "ReceiptHandle": "receipt-11", "VisibilityTimeout": 11},
    ]
