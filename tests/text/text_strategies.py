"""Texts for property tests: all that Hangul, marks and the corners of Unicode can do to each other."""

from hypothesis import strategies as st

from jaxseq.text.hangul import FINALS, INITIALS, MARK, VOWELS

SYLLABLES = st.integers(0xAC00, 0xD7A3).map(chr)
JAMO = st.sampled_from(sorted({*INITIALS, *VOWELS, *FINALS}))
ODD = st.sampled_from("\0 \n\rabZé\u1100\u1161\u11a8\u3130\u3164\u318d\uabff\ud7a4\ufeff\ufffd\uffff😀\U0010ffff")
LONE_SURROGATES = st.sampled_from("\ud83d\ude00\udfff")

HANGUL_TEXTS = st.text(SYLLABLES | JAMO | ODD, max_size=40)
"""Without the mark: where hgtk loses nothing."""

TEXTS = st.text(SYLLABLES | JAMO | ODD | LONE_SURROGATES | st.just(MARK), max_size=40)
"""All that a str can hold."""

JAMO_SOUP = st.text(st.sampled_from("ㄱㄴㅅㄸㄳㅏㅘㅣ") | st.just(MARK) | st.sampled_from("a가"), max_size=40)
"""What an untrained model may emit."""


@st.composite
def splits(draw: st.DrawFn, whole: list[int]) -> list[list[int]]:
    """`whole` cut at any places, empty pieces included."""
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
