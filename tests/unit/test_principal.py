"""`in_process` gets the workspace ID from the platform's code, so it checks the ID as the API does."""

from __future__ import annotations

import pytest

from patchbay.auth.principal import in_process
from patchbay.errors import ValidationFailed


@pytest.mark.parametrize("workspace_id", ["acme", "a", "A_1-b", "w" * 64])
def test_workspace_id_is_accepted(workspace_id: str) -> None:
    principal = in_process(workspace_id, "posts:read")
    assert (principal.workspace_id, principal.scopes) == (workspace_id, frozenset({"posts:read"}))


@pytest.mark.parametrize("workspace_id", ["", "no such workspace!", "acme\n", "acme#1", "ä", "w" * 65])
def test_text_that_is_no_workspace_id_is_rejected(workspace_id: str) -> None:
    with pytest.raises(ValidationFailed) as raised:
        in_process(workspace_id)
    assert raised.value.detail == "workspaceId: must be 1 to 64 letters, digits, _ or -"
