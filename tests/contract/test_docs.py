"""What docs/ tells people to copy works."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from local.settings import ROOT
from patchbay.api_keys import key_format
from patchbay.ids import ApiKeyId
from tools import provider_table

PAGE = (ROOT / "docs/api-keys.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def fresh(prefix: str = "sk_live") -> str:
    return key_format.assemble(prefix, ApiKeyId.new(), key_format.mint_secret())


def checker() -> Any:
    """The page's own function."""
    (code,) = [block for block in blocks("python") if "is_key" in block]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  # that it runs as it stands is what is tested
    return names["is_key"]


def test_the_patterns_are_the_codes() -> None:
    (github,) = blocks("regex")
    (rule,) = tomllib.loads(blocks("toml")[0])["rules"]
    assert rf"\b{github.strip()}\b" == key_format.SECRET_SCANNING_PATTERN == rule["regex"]
    assert all(any(word in fresh(prefix) for word in rule["keywords"]) for prefix in ("sk_live", "sk_test"))


def test_the_pattern_finds_keys_wherever_they_stand_and_nothing_else() -> None:
    pattern = re.compile(key_format.SECRET_SCANNING_PATTERN)
    for key in (fresh("sk_live"), fresh("sk_test")):
        for text in (key, f'KEY="{key}"', f"Bearer {key}\n", f"?key={key}&x=1", f"({key}),", f"{key}…"):
            assert pattern.findall(text) == [key]
        for text in (key[:-1], f"{key}x", f"x{key}", key_format.mask("sk_live", ApiKeyId.new()), key.upper()):
            assert pattern.findall(text) == []
    assert pattern.findall("sk_live_" + "a" * 58) == [], "another issuer's"


def test_the_pages_example_has_a_keys_shape() -> None:
    assert re.search(key_format.SECRET_SCANNING_PATTERN, PAGE)


@given(st.integers(0, 64), st.sampled_from("0Az_"))
def test_the_pages_checksum_is_the_codes(at: int, character: str) -> None:
    key, is_key = fresh(), checker()
    assert is_key(key)
    typo = key[:at] + character + key[at + 1 :]
    assert is_key(typo) is (typo == key)


def test_the_id_is_where_the_page_says() -> None:
    id = ApiKeyId.new()
    key = key_format.assemble("sk_live", id, key_format.mint_secret())
    assert "key_" + key.split("_")[2][::-1] == id


def test_the_table_of_providers_is_that_of_their_files() -> None:
    assert provider_table.TARGET.read_text() == provider_table.render(), "stale: run `make derived`"


def test_the_log_s_actions_are_all_in_the_page() -> None:
    library = ROOT / "layers/patchbay/patchbay"
    code = "".join(
        file.read_text() for folder in ("integrations", "oauth") for file in (library / folder).glob("*.py")
    )
    written = set(
        re.findall(r'"((?:integration|credentials|oauth|connection|token|publication)\.[a-z_]+)"', code)
    )
    listed = re.search(r"Actions: (.*?)\.\n\n", (ROOT / "docs/integrations.md").read_text(), re.DOTALL)
    assert listed is not None
    told = {
        f"{kind}.{name}"
        for group in re.findall(r"`([^`]+)`", listed[1])
        for kind, names in [group.split(".", 1)]
        for name in names.split(" · ")
    }
    assert told == written


def test_the_security_page_names_tests_that_exist() -> None:
    named = re.findall(r"`(tests/[^`]+)`", (ROOT / "docs/security.md").read_text())
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []
