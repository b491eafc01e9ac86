"""Where texts are cut: whatever stands there, normalising the parts gives what normalising the whole gives."""

import unicodedata
from functools import lru_cache, reduce
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.text.cuts import last_cut
from jaxseq.text.normalize import NORMALIZERS, normalizer

MARKS = (
    "\u0301\u0327\u0338\u0345\u0307\u3099\u09be\u0dca\u0dcf\u102e\U00011127\u05b0\u093c\u0653\u302e\U0001d165\U0001d16d"
)
HANGUL = "\u1112\u1161\u11ab\ud558\ud55c\u3131\uffa1\uffc2"
SPACES = " \n\r\t\u00a0\u2003\u3000\u0085\u2028\x1c"
SPACE_LIKE = "\u00a8\u00b4\u200b\u037a\ufe70\uff9e\u309b\ufdfa\u203e"
SIGMAS = "ΣσςίΣ'’:.·\u00ad\u02b0\U0001d6ba\U0001d6d3"
CASES = "İIıiẞßŉǅﬁÅK\u212b\u2126aA1漢"
TAGS = ["<br />", "<BR/>", "<br \n>", "<", "b", "r", "/", ">", "＜ｂr", "≮", "1", '"']
ALPHABET = sorted(set(MARKS + HANGUL + SPACES + SPACE_LIKE + SIGMAS + CASES))


def accepted(names):
    try:
        return normalizer(names) is not None
    except InputError:
        return False


NAMES = st.lists(st.sampled_from(sorted(NORMALIZERS)), max_size=4).filter(accepted)


TEXTS = st.lists(st.sampled_from(ALPHABET) | st.sampled_from(TAGS), max_size=14).map("".join)


def normalized(text, names):
    return reduce(lambda value, name: NORMALIZERS[name](value), names, text)


def cut_everywhere(text):
    """`text` at every place that is a cut when nothing better follows."""
    cuts = {last_cut(text[:end]) for end in range(2, len(text) + 1)}
    return [text[a:b] for a, b in pairwise([0, *sorted(cuts - {0}), len(text)])]


@settings(deadline=None, max_examples=1500)
@given(text=TEXTS, names=NAMES)
def test_parts_normalise_to_what_the_whole_does_under_any_list_of_normalisers(text, names):
    assert "".join(normalized(part, names) for part in cut_everywhere(text)) == normalized(text, names)


@settings(deadline=None, max_examples=500)
@given(
    text=st.lists(st.sampled_from(["<br", "＜ｂr", "<br />", "<br>", ">", "/", " ", "x"]), max_size=9).map("".join),
    names=st.lists(st.sampled_from(["breaks_to_spaces", "nfkc", "letters_only"]), max_size=5),
)
def test_a_break_within_a_break_is_kept_with_it(text, names):
    assert "".join(normalized(part, names) for part in cut_everywhere(text)) == normalized(text, names)


def strange_characters():
    """All that a normaliser changes, that is a mark, or that a sigma looks past; some of the syllables, and of the
    ideographs, which at most become spaces."""
    for code in range(0x30000):
        character = chr(code)
        if unicodedata.category(character) in ("Cn", "Co", "Cs") or 0xAC20 <= code < 0xD780:
            continue
        if unicodedata.name(character, "").startswith(("CJK UNIFIED", "TANGUT IDEOGRAPH")) and code % 256:
            continue
        changed = any(function(character) != character for function in NORMALIZERS.values())
        looked_past = ("aΣ" + character + "a").lower()[1] == "σ" != ("aΣ" + character).lower()[1]
        if changed or looked_past or unicodedata.category(character)[0] in "MZ" or unicodedata.combining(character):
            yield character


LISTS = [(name,) for name in NORMALIZERS] + list(product(("lowercase", "nfc", "nfkc"), repeat=2))
LISTS += list(product(("nfkc", "lowercase"), ("breaks_to_spaces", "letters_only"), ("nfkc", "lowercase")))
LISTS += [("breaks_to_spaces", "collapse_whitespace"), ("collapse_whitespace", "letters_only")]
LISTS += [("nfkc", "collapse_whitespace"), ("nfkc", "lowercase", "nfc", "lowercase", "nfkc", "collapse_whitespace")]
# Each of them and what it begins with, the shorter ones first, and where in this order the one before its last is.
BEGINNINGS = sorted(
    {names[:end] for names in LISTS for end in range(len(names) + 1)}, key=lambda names: (len(names), names)
)
STEPS = [(NORMALIZERS[names[-1]], BEGINNINGS.index(names[:-1])) for names in BEGINNINGS if names]


@lru_cache(maxsize=64)
def normalized_by_all(text):
    """`text` under each of `BEGINNINGS`."""
    texts = [text]
    for function, before in STEPS:
        texts.append(function(texts[before]))
    return texts


def test_every_character_that_a_normaliser_knows_is_kept_with_what_it_needs():
    checked = 0
    for character in strange_characters():
        for before, after in (
            (" ", "\u0301a"),
            ("aΣ", "a"),
            ("b", "\u0338"),
            ("\u1112", "\u1161"),
            ("\u302e", "Σ"),
            (character, "Σ"),
        ):
            text = before + character + after
            for at in range(1, len(text)):
                if last_cut(text[: at + 1]) == at:
                    checked += 1
                    parts = [a + b for a, b in zip(*map(normalized_by_all, (text[:at], text[at:])), strict=True)]
                    torn = [n for n, a, b in zip(BEGINNINGS, parts, normalized_by_all(text), strict=True) if a != b]
                    assert not torn, (ascii(text), at, torn)
    assert checked > 10_000


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("one\ntwo three", 4),
        ("one two\n  three", 10),
        ("one\r\ntwo", 5),
        ("one\r\n", 2),
        ("to be ", 3),
        ("漢字漢字", 3),
        ("e\u0301e\u0301", 0),
        ("ab e\u0301\u0301", 3),
        ("\u1112\u1161\u11ab", 0),
        ("ΑΣ'", 0),
        ("a\u00a0b", 2),
        ("1 2\n3", 4),
        ("12345", 4),
        ("film <br />\n<br />", 3),
        ("film<br />good", 13),
        ("a film<br />", 2),
        ("film<br<br />>", 3),
        ("film＜ｂr<br\n/>/>", 3),
        ("film<br<br/><br<br>/> >x", 23),
        ("film<br<br/><br<br>/> >", 3),
        ("\n\u0301x", 0),
        ("", 0),
        ("a", 0),
    ],
)
def test_a_cut_is_before_a_line_or_a_word_or_else_where_nothing_is_torn(text, at):
    assert last_cut(text) == at
