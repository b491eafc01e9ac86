"""Morphemes of Korean, and where they stand: offsets are those of the text as it was given."""

import builtins
import hashlib
import lzma
import os
import re
import subprocess
import sys
import threading
import unicodedata
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_strategies import JAMO, ODD, SYLLABLES

from jaxseq.errors import InputError
from jaxseq.text import Morpheme, morphemes, tag, tag_texts

ROOT = Path(__file__).parents[2]
CLUSTERS = st.sampled_from(
    ["👨\u200d👩\u200d👧", "👍🏽", "🏳️\u200d🌈", "e\u0301", "\u1112\u1161\u11ab", "\r\n", "\ud83d", "갔다", "왔어요"]
)
TEXTS = st.lists(SYLLABLES | JAMO | ODD | CLUSTERS, max_size=30).map("".join)
NO_SURFACE = re.compile(r"[\s\u2800]*")
few = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def lines(data_folder: Path) -> list[str]:
    """2,000 film reviews."""
    with lzma.open(data_folder / "nsmc" / "nsmc_reviews_lm.txt.xz", "rt", encoding="utf-8", newline="") as file:
        return [line.removesuffix("\n") for line in islice(file, 2000)]


def surfaces(text: str) -> list[tuple[str, str, str]]:
    return [(form, tag, text[start:end]) for form, tag, start, end in tag(text)]


def assert_sound(text: str, found: list[Morpheme]) -> None:
    """Every character but white space is in a surface, no surface is outside the text, what is no Korean is its own."""
    covered = set()
    for form, name, start, end in found:
        assert form
        assert 0 <= start <= end <= len(text)
        covered |= set(range(start, end))
        if name[0] in "SW" and not re.search("[\ud800-\udfff]", text):
            assert text[start:end] == form
    assert NO_SURFACE.fullmatch("".join(text[at] for at in set(range(len(text))) - covered))


EMOJI = ("😀", "😀😀 ", "👨\u200d👩\u200d👧 ", "👍🏽", "🏳️\u200d🌈", "\ud83d", "\ud83d\ude00")
OTHERS = ("", "𠀀 ", "e\u0301 ", "\r\n", "\t \u3000", "\0", "각\u11a8 ")


@pytest.mark.parametrize("before", [*EMOJI, *OTHERS], ids=ascii)
def test_a_surface_is_a_slice_of_the_text_whatever_stands_before_it(before):
    """kiwipiepy#226: offsets wrong after emoji."""
    text = f"{before}그는 집에 갔다."
    assert surfaces(text)[-8:] == [
        ("그", "NP", "그"),
        ("는", "JX", "는"),
        ("집", "NNG", "집"),
        ("에", "JKB", "에"),
        ("가", "VV", "갔"),
        ("었", "EP", "갔"),
        ("다", "EF", "다"),
        (".", "SF", "."),
    ]
    assert text[tag(text)[-1].start :] == "."


def test_morphemes_that_are_contracted_share_a_surface_and_one_unwritten_has_none():
    assert surfaces("고마워요") == [("고맙", "VA-I", "고마워"), ("어요", "EF", "워요")]
    assert surfaces("난") == [("나", "NP", "난"), ("\u11ab", "JX", "난")]
    assert surfaces("좋은 영화다") == [
        ("좋", "VA", "좋"),
        ("은", "ETM", "은"),
        ("영화", "NNG", "영화"),
        ("이", "VCP", ""),
        ("다", "EF", "다"),
    ]


@pytest.mark.parametrize(
    "text", ["그는 집에 갔다. 값이 싸다 😀", "각\u11a8 가\u11ab다", "\u1100\u1161\u11bb다\n\u1100 \u1161"], ids=ascii
)
def test_conjoining_jamo_are_analysed_as_the_syllables_they_make(text):
    apart, together = unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text)
    expected = tag(together)
    for given_text in (apart, text):
        found = tag(given_text)
        assert [morpheme[:2] for morpheme in found] == [morpheme[:2] for morpheme in expected]
        surface = [unicodedata.normalize("NFC", given_text[start:end]) for _, _, start, end in found]
        assert surface == [together[start:end] for _, _, start, end in expected]


def test_half_a_surrogate_pair_is_a_sign_like_others():
    assert tag("가\ud83d") == [*tag("가"), ("\ufffd", "SW", 1, 2)]


@few
@given(TEXTS)
def test_no_text_is_refused_and_no_character_lost(text):
    assert_sound(text, tag(text))


@few
@given(st.lists(TEXTS, max_size=5))
def test_lines_and_texts_are_analysed_by_themselves(texts):
    alone = [tag(text) for text in texts]
    assert list(tag_texts(texts)) == alone
    start, joined = 0, []
    for text, found in zip(texts, alone, strict=True):
        joined += [Morpheme(form, name, start + a, start + b) for form, name, a, b in found]
        start += len(text) + 1
    assert tag("\n".join(texts)) == joined


def test_a_long_line_is_analysed_in_parts_that_end_at_spaces():
    word = "친구는 집에 갔다. "  # 8,192 is in the middle of one
    assert [morpheme.form for morpheme in tag(word * 3000)] == [morpheme.form for morpheme in tag(word)] * 3000
    assert tag(word * 3000)[-1].end == len(word) * 3000 - 1
    (form, *_), *rest = tag("x" * 20_001)
    assert form.strip("x") == ""
    assert rest[-1].end == 20_001


def test_real_reviews_are_covered_by_their_surfaces(lines):
    found = list(tag_texts(lines))
    for line, own in zip(lines, found, strict=True):
        assert_sound(line, own)
    # kiwipiepy 0.24.1 by itself, without lines, parts and batches.
    assert sum(map(len, found)) == pytest.approx(28_129, rel=0.01)
    kiwi = morphemes.analyser()
    for line, own in zip(lines[:200], found, strict=False):
        assert [(token.form, token.tag, token.start, token.end) for token in kiwi.tokenize(line)] == own


SCRIPT = """
import hashlib, os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from jaxseq.text import tag_texts
lines = open(sys.argv[1], encoding="utf-8").read().split("\\n")
print(hashlib.sha256(repr([list(map(tuple, found)) for found in tag_texts(lines)]).encode()).hexdigest())
"""


def test_another_process_with_one_thread_finds_the_same(lines, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(lines[:300]), encoding="utf-8")
    here = repr([list(map(tuple, found)) for found in tag_texts(lines[:300])]).encode()
    words = [sys.executable, "-c", SCRIPT, str(path)]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout.strip() == hashlib.sha256(here).hexdigest(), done.stderr


FORK = """
import os, signal
from jaxseq.text import tag
before = tag("영화를 봤다")
child = os.fork()
if child == 0:
    signal.alarm(60)
    os._exit(0 if tag("영화를 봤다") == before else 1)
print(os.waitpid(child, 0)[1], tag("영화를 봤다") == before)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_forked_process_can_go_on():
    words = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout.strip() == "0 True", done.stderr


def test_threads_share_one_analyser(lines):
    found: dict[int, list[list[Morpheme]]] = {}

    def work(number: int) -> None:
        found[number] = list(tag_texts(lines[:100]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[number] == list(tag_texts(lines[:100])) for number in range(4))


def test_an_error_of_the_texts_comes_through():
    def texts():
        yield "영화"
        raise InputError("line 2 is no text")

    with pytest.raises(InputError, match="line 2 is no text"):
        list(tag_texts(texts()))


def without_kiwipiepy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def importing(name, *rest, **options):
        if name.split(".")[0] == "kiwipiepy":
            raise ModuleNotFoundError("No module named 'kiwipiepy'", name="kiwipiepy")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", importing)
    monkeypatch.setattr(morphemes, "_ANALYSERS", {})


def test_without_kiwipiepy_the_extra_is_named(monkeypatch):
    without_kiwipiepy(monkeypatch)
    for function in (lambda: tag("영화"), lambda: list(tag_texts([])), morphemes.analyser_version):
        with pytest.raises(InputError, match=r"need kiwipiepy, .*: pip install 'jaxseq\[korean\]'$"):
            function()
