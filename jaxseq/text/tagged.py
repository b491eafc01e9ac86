r"""Lines of tagged morphemes, `형태소/NNG 분석/NNG`: as files have them, and read back.

A token is the form, a slash and the tag; tokens stand a space apart. In a form, what would be taken for something else
(white space, "/" and "\") and what has no shape but acts on a terminal is written as "\u" and four hexadecimal digits,
as in JSON. So each token has one slash, and splitting at white space gives the tokens.
"""

import re
import reprlib
from collections.abc import Iterable

from jaxseq.errors import InputError

_ESCAPED = re.compile(
    r"[\s/\\\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_TOKEN = re.compile(r"((?:[^/\\]|\\u[0-9a-fA-F]{4})+)/([^/\\]+)")


def tagged_token(form: str, tag: str) -> str:
    r"""`form` and `tag` as a token of a tagged line.

    >>> tagged_token("영화", "NNG"), tagged_token("반지의 제왕", "NNP"), tagged_token("/", "SP")
    ('영화/NNG', '반지의\\u0020제왕/NNP', '\\u002f/SP')
    """
    return f"{_ESCAPED.sub(_escape, form)}/{tag}"


def read_token(token: str) -> tuple[str, str]:
    r"""Inverse of `tagged_token`: form and tag.

    Raises:
        InputError: there is no form, no tag, or not one slash between them; or a "\" begins no escape.
    """
    match = _TOKEN.fullmatch(token)
    if match is None or len(token.split()) != 1:
        raise InputError(
            f"{reprlib.repr(token)} is no tagged morpheme: write form/Tag, and in the form \\u002f for a slash, "
            "\\u005c for a backslash, \\u0020 for a space"
        )
    form, tag = match.groups()
    return (_ESCAPE.sub(_unescape, form) if "\\" in form else form), tag


def tagged_line(morphemes: Iterable[tuple[str, str]]) -> str:
    """A line, without its end, of forms and tags."""
    return " ".join([tagged_token(form, tag) for form, tag in morphemes])


def read_tagged(line: str) -> list[tuple[str, str]]:
    r"""Inverse of `tagged_line`: the forms and tags of a line, whatever white space stands between them.

    >>> read_tagged("a/SL \\u002f/SP b/SL")
    [('a', 'SL'), ('/', 'SP'), ('b', 'SL')]

    Raises:
        InputError: as `read_token`.
    """
    return list(map(read_token, line.split()))


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))
