"""Invisible characters and stacks of marks: one list for names, labels and credentials.

The classes go inside the brackets of a regular expression.
"""

from __future__ import annotations

import re
import unicodedata

# Control characters, line and paragraph separators, and fillers, which look like a space.
_SEPARATORS = "\x00-\x1f\x7f-\x9f\u2028\u2029\u3164\uffa0"
# Zero-width characters: default ignorable code points, annotation marks, noncharacters and lone surrogates.
# Some of them change the direction of text.
_FORMATS = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff0-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Spaces that look like U+0020.
_SPACES = "\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
# Blank, but not a space in Unicode: the empty Braille pattern and the null note head.
_BLANKS = "\u2800\U0001d159"

_SYMBOL = "\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
# Scripts whose letters are shaped by joiners, without the format characters among them: Hebrew and Arabic to
# Myanmar, Khmer and Mongolian, and related scripts.
_JOINING = (
    "\u0590-\u061b\u061d-\u109f\u1700-\u17b3\u17b6-\u180a\u1810-\u18af\u1a20-\u1cff\ua840-\uabff"
    "\ufb1d-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff\U0001e900-\U0001e95f"
)
# Written from right to left: Hebrew, Arabic and related scripts.
_RIGHT_TO_LEFT = "\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_HAN = "\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"

# Matches a character that can make one name look like another, or hide a message. The group `visible_effect`
# matches characters that change what people see: https://www.unicode.org/reports/tr51/ (emoji),
# https://www.rfc-editor.org/rfc/rfc5892 (A.1, A.2: joiners), https://www.unicode.org/reports/tr9/ (a mark
# after right-to-left text keeps punctuation on its side). A doubled joiner is common in Persian, and a
# Mongolian letter takes a variant and a separator. Longer runs could carry a message.
HIDDEN = re.compile(
    "(?P<visible_effect>"
    # the flag of a region, such as England's
    "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
    f"|(?:(?<=[{_SYMBOL}])|(?<=[{_SYMBOL}]\ufe0f))\u200d(?=[{_SYMBOL}])"
    f"|(?<=[{_JOINING}])[\u200c\u200d\ufe00\u180b-\u180f]{{1,2}}"
    f"|(?:(?<=[{_RIGHT_TO_LEFT}])|(?<=[{_RIGHT_TO_LEFT}][!-/:-@\\[-`{{-~]))\u200f"
    f"|(?<=[{_SYMBOL}])[\ufe00-\ufe0f]|(?<=[0-9#*])\ufe0f(?=\u20e3)"
    f"|(?<=[{_HAN}])[\ufe00-\ufe02\U000e0100-\U000e01ef]"
    f")|(?P<separator>[{_SEPARATORS}])|[{_FORMATS}]"
)
VISIBLE = re.compile(f"[^\\s{_BLANKS}]")
# In a credential no invisible character has a purpose, and U+0020 is the only blank.
INVISIBLE = re.compile(f"[{_SEPARATORS}{_FORMATS}{_SPACES}{_BLANKS}]")

# No language needs more combining marks on a letter (https://www.unicode.org/reports/tr39/, 5.4). A stack of
# them covers the lines above and below.
MOST_MARKS = 4
_FORMAT = re.compile(f"[{_FORMATS}]")


def unstacked(text: str) -> str:
    """The text with at most MOST_MARKS combining marks on each letter."""
    if text.isascii():
        return text
    kept, marks = [], 0
    for character in text:
        if not _FORMAT.match(character):
            marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks <= MOST_MARKS or _FORMAT.match(character):
            kept.append(character)
    return "".join(kept)
