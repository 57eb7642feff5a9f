"""The console's copies of the server's roles and audit actions match the server."""

from __future__ import annotations

import json
import re

from local.settings import ROOT
from patchbay.auth.scopes import ROLES
from tests import audited

SOURCES = ROOT / "console/src"


def test_presets_of_api_keys_are_the_roles_of_the_server() -> None:
    roles = json.loads((SOURCES / "features/api-keys/roles.json").read_text())
    assert roles == {role: sorted(scopes) for role, scopes in ROLES.items()}


def test_audit_log_has_words_for_every_action_that_is_recorded() -> None:
    text = (SOURCES / "strings/en/audit.ts").read_text()
    words = set(re.findall(r'^  "([a-z_]+\.[a-z_]+)": ', text, re.MULTILINE))
    missing = audited.actions() - words
    assert not missing, f"console/src/strings/en/audit.ts has no words for {sorted(missing)}"
