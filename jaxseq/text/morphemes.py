"""The morphemes of Korean texts, found by Kiwi, and where in the text each of them stands."""

import os
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from jaxseq.errors import InputError
from jaxseq.text.codepoints import grouped

_GROUP = 1 << 14
"""Characters that are given to the analyser's threads at a time: half a second of work."""
_LONGEST = 1 << 13
"""Characters that are analysed as one: the time of one word without a space grows with the square of its length."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_APART = re.compile("[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?|[\uac00-\ud7a3][\u11a8-\u11c2]")
"""What form C makes a syllable of, and a few that it leaves alone."""
_TO_SPACE = re.compile(r".*\s", re.DOTALL)

_LOADING = threading.Lock()
_ANALYSERS: dict[int, Any] = {}
"""By process: one that was forked has none of the analyser's threads."""


class Morpheme(NamedTuple):
    """A morpheme of a text, of which `text[start:end]` is the surface.

    The surface is all characters that the morpheme has a part in. Where several are contracted they share some: "갔"
    is the surface of 가/VV and of 었/EP, "고마워" that of 고맙/VA-I and "워요" that of 어요/EF behind it. Where one is
    not written at all, as 이/VCP in "영화다", it is empty, and `start` is where it would stand.
    """

    form: str
    """As the dictionary has it: 었 also for 았 and 였, a final consonant alone as conjoining jamo (ᆫ), a name that is
    known in several words with its spaces. Of all that is no Korean, the surface."""
    tag: str
    """Part of speech in the tag set of Sejong, as Kiwi extends it."""
    start: int
    """In characters of the text as it was given."""
    end: int


def tag(text: str) -> list[Morpheme]:
    """The morphemes of `text`, as `tag_texts`.

    >>> for morpheme in tag("😀 영화 봤다"):
    ...     print(*morpheme)
    😀 W_EMOJI 0 1
    영화 NNG 2 4
    보 VV 5 6
    었 EP 5 6
    다 EF 6 7
    """
    return next(tag_texts([text]))


def tag_texts(texts: Iterable[str]) -> Iterator[list[Morpheme]]:
    r"""The morphemes of each text, in order; they are read a few at a time and analysed by as many threads as cores.

    Each line is analysed by itself, and of one with more than 8,192 characters each part of about so many, up to a
    space. What a text is made of depends on nothing beside it, nor on the number of threads; it does depend on the
    version of the analyser, see `analyser_version`.

    White space (and U+2800, a blank as well) is no part of a morpheme, but for what is in the middle of a name. Hangul
    in conjoining jamo is analysed as the syllables they make; a lone surrogate as U+FFFD.

    Raises:
        InputError: kiwipiepy is not installed.
    """
    analyser()  # tells what is missing for no texts too
    for group in grouped(texts, _GROUP):
        yield from _tagged(group)


def analyser() -> Any:
    """The one Kiwi of this process, which all threads may use; loading it takes 2 seconds and 500 MB of memory.

    Raises:
        InputError: kiwipiepy is not installed.
    """
    with _LOADING:
        process = os.getpid()
        if process not in _ANALYSERS:
            kiwi = _kiwipiepy()[0].Kiwi(num_workers=_cores())
            kiwi.tokenize("")  # which loads it
            _ANALYSERS[process] = kiwi
        return _ANALYSERS[process]


def analyser_version() -> str:
    """The analyser and its model, as pip names their versions. Another version analyses some texts in another way.

    It says nothing of the processor: 0.24.1 gives 1,500 reviews the same morphemes with SSE2, SSE4.1, AVX2 and AVX-512,
    and 547 of them others with the code for any processor (KIWI_ARCH_TYPE=none).

    Raises:
        InputError: kiwipiepy is not installed.
    """
    code, model = _kiwipiepy()
    return f"kiwipiepy=={code.__version__} kiwipiepy_model=={model.__version__}"


def _kiwipiepy() -> tuple[Any, Any]:
    """The modules of the analyser and of its model."""
    try:
        import kiwipiepy
        import kiwipiepy_model
    except ImportError as error:
        raise InputError(
            f"Korean morphemes need kiwipiepy, which cannot be imported ({error}): pip install 'jaxseq[korean]'"
        ) from error
    return kiwipiepy, kiwipiepy_model


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tagged(texts: Sequence[str]) -> Iterator[list[Morpheme]]:
    """The morphemes of each text; all of them are analysed before the first is given."""
    read = [_readable(text) for text in texts]
    bounds = [list(_parts(text)) for text, _ in read]
    parts = [text[start:end] for (text, _), pairs in zip(read, bounds, strict=True) for start, end in pairs]
    found = iter(analyser().tokenize(parts))
    for (_, offsets), pairs in zip(read, bounds, strict=True):
        morphemes = [
            Morpheme(token.form, token.tag, start + token.start, start + token.end)
            for (start, _), tokens in zip(pairs, islice(found, len(pairs)), strict=True)
            for token in tokens
        ]
        yield morphemes if offsets is None else [Morpheme(*m[:2], offsets[m.start], offsets[m.end]) for m in morphemes]


def _readable(text: str) -> tuple[str, list[int] | None]:
    """`text` as it is analysed, and where each character of it, and its end, are in `text`; None where they are there
    as well."""
    text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
    pieces: list[str] = []
    offsets: list[int] = []
    done = 0
    for match in _APART.finditer(text):
        syllable = unicodedata.normalize("NFC", match[0])
        if len(syllable) > 1:
            continue
        pieces += (text[done : match.start()], syllable)
        offsets += range(done, match.start() + 1)
        done = match.end()
    if not pieces:
        return text, None
    return "".join([*pieces, text[done:]]), [*offsets, *range(done, len(text) + 1)]


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """The start and end of what is analysed by itself: lines, long ones in parts."""
    start = 0
    while start < len(text):
        newline = text.find("\n", start)
        end = len(text) if newline < 0 else newline
        while end - start > _LONGEST:
            space = _TO_SPACE.match(text, start, start + _LONGEST)
            cut = space.end() if space else start + _LONGEST
            yield start, cut
            start = cut
        if end > start:
            yield start, end
        start = end + 1
