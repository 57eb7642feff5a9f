"""Names, labels and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import hypothesis.strategies as st
import pytest
from hypothesis import given

from patchbay.api_model import check_name, check_plain_text, to_label
from patchbay.clock import from_ms, is_time, iso, read_time, to_ms
from patchbay.ids import EventId

# ── names ────────────────────────────────────────────────────────────────────────────────────────────

ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    "name",
    [
        "Acme & Söhne",
        "公司",
        "👩‍💻 Ada",
        "👨‍👩‍👧‍👦",
        "❤️‍🔥",
        "🏳️‍🌈",
        "⛹🏻‍♀️",
        "1️⃣ first",
        "©️ 2026",
        f"{ENGLAND} England",
        "می‌خواهم",
        "ക്‍",  # an old spelling of a chillu, with the joiner at the end of the word
        "क्‍ष",
        "葛\U000e0100城",
        "שלום",
        "שלום\u200f",
        "(שלום)\u200f",
        "می\u200c\u200cخواهم",
        "ᠬᠠᠨ\u180eᠠ",
        "ᠨ\u180b\u180eᠠ",
        "佐々\U000e0101木",
        "Vie\u0302\u0323t",
        "שָׁ֑לוֹם",  # a letter with a vowel, a dot and an accent
    ],
)
def test_name_keeps_characters_with_visible_effect(name: str) -> None:
    assert check_name(name) == name
    assert to_label(name) == name


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("\u200b", ""),
        ("\u2060", ""),
        ("\u3164", ""),
        ("\u115f\u1160", ""),
        ("\xad", ""),
        ("\ufe0f", ""),
        ("\u2800", ""),
        ("\u200e\u200f\u061c", ""),
        ("\U000e0041\U000e0042", ""),
        ("Ac\u200dme", "Acme"),
        ("Ac\u200bme", "Acme"),
        ("Ac\xadme", "Acme"),
        ("\ufeffAcme", "Acme"),
        ("Acme\u200e", "Acme"),
        ("A\ufe0fcme", "Acme"),
        ("日\u200d本", "日本"),
        ("a\u202eb", "ab"),
        ("a\u2067b", "ab"),
        ("a\nb", "a b"),
        ("a\x00b", "a b"),
        ("a\x85b", "a b"),
        ("a\u2028b", "a b"),
        ("\ud800a", "a"),
        ("👩\u200d", "👩"),
        ("👩\u200d\u200d💻", "👩💻"),
        ("😀\ufe0f\ufe0f", "😀\ufe0f"),
        ("葛\U000e0100\U000e0101", "葛\U000e0100"),
        ("x\u2063y", "xy"),
        ("Acme\u3164Corp", "Acme Corp"),
        ("Acme\u200f", "Acme"),
        ("שלום\u200f\u200f", "שלום\u200f"),
        ("ی\u200c\u200c\u200c", "ی\u200c\u200c"),
        ("ی\u061c\u200c", "ی"),
        ("a\u180eb", "ab"),
        ("hidden\U000e0068\U000e0069", "hidden"),
        (ENGLAND[:-1], "\U0001f3f4"),
        ("\U0001f3f4" + "\U000e0061" * 40 + "\U000e007f", "\U0001f3f4"),
    ],
    ids=ascii,
)
def test_hidden_characters_are_rejected_in_names_and_removed_from_labels(name: str, label: str) -> None:
    with pytest.raises(ValueError, match="visible"):
        check_name(name)
    assert to_label(name) == label


@pytest.mark.parametrize("between", ["", "\u034f", "\u200b", "\ufe0f"])
def test_marks_do_not_cover_the_lines_around_a_name(between: str) -> None:
    stack = between.join(["\u0301"] * 5)
    if not between:
        with pytest.raises(ValueError, match="combining marks"):
            check_name(f"Acme{stack} Inc")
    assert to_label(f"Acme{stack} Inc") == "Acme\u0301\u0301\u0301\u0301 Inc"
    assert to_label("e\u20dd\u20de\u20df\u20e0\u20e0x") == "e\u20dd\u20de\u20df\u20e0x"


# The characters of the rules about neighbors, so that they often meet.
SHAPING = st.sampled_from(
    "\u200c\u200d\u200f\u061c\u180b\u180e\ufe0f\u200b\n !1\u20e3یשᠠ日👩❤\U000e0100\U000e0061"
)


@given(st.text(st.characters()) | st.text(SHAPING))
def test_label_is_a_valid_name(text: str) -> None:
    label = to_label(text)
    assert not label or check_name(label) == label
    assert to_label(label) == label


def test_error_names_the_character() -> None:
    with pytest.raises(ValueError, match=r"\(U\+200B\)"):
        check_plain_text("a\u200bb")
    assert check_plain_text("") == ""


# ── times ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-02T09:30:00Z", "2026-03-02T09:30:00.000Z"),
        ("2026-03-02T09:30:00+0000", "2026-03-02T09:30:00.000Z"),
        ("2026-03-02t09:30:00z", "2026-03-02T09:30:00.000Z"),
        ("2026-03-02T09:30Z", "2026-03-02T09:30:00.000Z"),
        ("2026-03-02T09:30:00-0330", "2026-03-02T13:00:00.000Z"),
        ("2026-03-02T09:30:00+05:45", "2026-03-02T03:45:00.000Z"),
        ("2026-03-02T09:30:00.5Z", "2026-03-02T09:30:00.500Z"),
        ("2026-03-02T09:30:00.1239999999999Z", "2026-03-02T09:30:00.123Z"),
        ("2026-03-02T09:30:00-00:00", "2026-03-02T09:30:00.000Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("2017-01-01T00:59:60.5+01:00", "2017-01-01T00:00:00.500Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_valid_times(text: str, moment: str) -> None:
    assert iso(read_time(text)) == moment
    assert is_time(text)
    ms = to_ms(read_time(text))
    assert iso(from_ms(ms)) == moment
    assert EventId.range(read_time(text), None)[0].time_ms == max(ms, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-03-02",
        "2026-03-02T09:30:00",
        "2026-03-02 09:30:00Z",
        "2026-03-02T09:30:00+00",
        "2026-03-02T09:30:00+24:00",
        "2026-03-02T09:30:00+00:60",
        "2026-03-02T09:30:00 +0000",
        "2026-03-02T09:30:00,5Z",
        "2026-03-02T09:30:00.Z",
        "2026-03-02T09Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T09:30:60Z",
        "2026-03-02T23:59:61Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "20260302T093000Z",
        "1772443800",
        "٢٠٢٦-03-02T09:30:00Z",
        "2026-03-02T09:30:00Z\n",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
    ],
)
def test_invalid_times(text: str) -> None:
    assert not is_time(text)
    with pytest.raises(ValueError, match=r"must be an ISO 8601 time|must be a time of the years"):
        read_time(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_milliseconds_round_trip(moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert from_ms(to_ms(moment)) == moment == read_time(iso(moment))


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), st.integers(-1439, 1439))
def test_every_python_isoformat_is_read(moment: datetime, minutes: int) -> None:
    moment = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert read_time(moment.isoformat()) == moment
