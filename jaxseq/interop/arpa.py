"""n-gram models as ARPA files, which SRILM, KenLM and others read and write."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.archives import open_streams
from jaxseq.data.backoff import BackoffTables, GramTable, Index, backoff_tables
from jaxseq.errors import InputError
from jaxseq.interop.arpa_records import ArpaFile, Grams
from jaxseq.reading import reading, shown

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
"""What stands before a sentence, what ends it, and any word that the model does not have."""
SPECIAL = (BEGIN, END, UNKNOWN)

_LN10 = math.log(10)
_IMPOSSIBLE = -99.0
"""What stands for the logarithm of 0."""
_MISSING = -100.0
"""KenLM's logarithm for unknown words where a file has no "<unk>"."""
_AT_ONCE = 2**16
_CODE = re.compile(r"<U\+([0-9A-F]{4,6})>")

Found = TypeVar("Found")


class ArpaUnigrams(NamedTuple):
    """What a file says of single words, and n."""

    order: int
    """Of its longest n-grams."""
    words: Mapping[str, float]
    """In the order of the file, with the logarithm of their probabilities, to base 10."""

    @property
    def is_of_sentences(self) -> bool:
        """Whether they end: "</s>" has a probability."""
        return self.words.get(END, _IMPOSSIBLE) > _IMPOSSIBLE

    @property
    def symbols(self) -> tuple[str, ...]:
        """What `arpa_names` has named as the words are, but the special ones."""
        return tuple(map(_unescaped, (word for word in self.words if word not in SPECIAL)))


@dataclass(frozen=True, eq=False)
class ArpaModel:
    """A model and the words that its ids stand for."""

    tables: BackoffTables
    words: tuple[str, ...]

    @property
    def begin(self) -> int | None:
        """The id of "<s>", which has no probability and stands in contexts alone; None where there is none."""
        return self._ids.get(BEGIN)

    @property
    def unknown(self) -> int | None:
        """The id of every word that is none of `words`; None where there is none."""
        return self._ids.get(UNKNOWN)

    def ids(self, words: Sequence[str]) -> NDArray[np.int32]:
        """Ids [n] of words.

        Raises:
            InputError: a word has none, and there is none for unknown ones.
        """
        found = [self._ids.get(word, self.unknown) for word in words]
        if None in found:
            word = shown(words[found.index(None)])
            raise InputError(f"the model has no word {word!r} and no {UNKNOWN}: leave it out")
        return np.array(found, np.int32)

    @cached_property
    def _ids(self) -> Mapping[str, int]:
        return {word: i for i, word in enumerate(self.words)}


def arpa_names(
    symbols: Sequence[str], *, begin: int | None = None, end: int | None = None, unknown: int | None = None
) -> tuple[str, ...]:
    """What symbols, those of the ids of a vocabulary, are called in ARPA files, which are cut at white space.

    White space and what does not print becomes its code point, as "<U+0020>"; so does the first character of a symbol
    that would be taken for one of the three special words.

    Args:
        begin: the id that is "<s>" there, and so on with "</s>" and "<unk>".

    Raises:
        InputError: a symbol is empty, or two have one name.
    """
    special = {begin: BEGIN, end: END, unknown: UNKNOWN}
    names = tuple(special[i] if i in special else _escaped(symbol) for i, symbol in enumerate(symbols))
    places: dict[str, int] = {}
    for i, name in enumerate(names):
        if not name:
            raise InputError(f"the symbol of id {i} is empty, an ARPA file cannot hold it: leave it out")
        if places.setdefault(name, i) != i:
            raise InputError(f"the ids {places[name]} and {i} are both {name!r} in an ARPA file: rename one")
    return names


def arpa_pieces(tables: BackoffTables, names: Sequence[str]) -> Iterator[bytes]:
    """The ARPA file of a model whose ids have these names, piece by piece.

    Ids without probability are left out, unless n-grams begin with them. "<s>" and "</s>" are always there, or KenLM
    reads no file. What is written is read back bit for bit.

    Raises:
        ValueError: there are more ids than names, or fewer.
    """
    if len(names) != tables.vocabulary_size:
        raise ValueError(f"{len(names)} names are none for {tables.vocabulary_size} ids: give one for each")
    grams = tables.grams
    first = grams[0].first_children
    is_written = np.isfinite(grams[0].log_probabilities) | np.isin(names, (BEGIN, END))
    if first is not None:
        is_written |= np.diff(first) > 0
    added = [name for name in (BEGIN, END) if name not in names]
    counts = [int(is_written.sum()) + len(added), *(len(each.words) for each in grams[1:])]
    yield "\\data\\\n{}".format("".join(f"ngram {k}={n}\n" for k, n in enumerate(counts, 1))).encode()
    spelled = np.array(names, object)
    for k, each in enumerate(grams, 1):
        yield f"\n\\{k}-grams:\n".encode()
        if k == 1:
            yield "".join(f"{_IMPOSSIBLE:g}\t{name}\n" for name in added).encode()
        tokens = tables.tokens(k)
        chosen = np.flatnonzero(is_written) if k == 1 else np.arange(len(tokens))
        for at in range(0, len(chosen), _AT_ONCE):
            yield _written(each, chosen[at : at + _AT_ONCE], spelled[tokens[chosen[at : at + _AT_ONCE]]])
    yield b"\n\\end\\\n"


def read_arpa(path: str | Path, *, names: Sequence[str] | None = None, sentence_end: int | None = None) -> ArpaModel:
    """The model in an ARPA file, or in a .gz, .bz2, .xz or .zip of one.

    Without `names` and "<unk>" in the file an unknown word has 10^-100, as KenLM has it.

    Args:
        names: what the ids of a vocabulary are called in the file (`arpa_names`); unless given, the words have ids in
            the order of the file. Ids without a 1-gram get no probability. n-grams with a special word that is none of
            the names are left out.
        sentence_end: the id of what stands between sentences in running text: it is predicted as "</s>" is, and a
            context as "<s>" is.

    Raises:
        InputError: it cannot be read or is damaged, or has words that are none of `names`; the message names the line.
    """
    return _of_the_only_file(Path(path), lambda file: _read(file, names, sentence_end))


def read_arpa_unigrams(path: str | Path) -> ArpaUnigrams:
    """The 1-grams of such a file alone, whatever stands behind them.

    Raises:
        InputError: as `read_arpa`.
    """

    def read(file: ArpaFile) -> ArpaUnigrams:
        words, grams = file.unigrams()
        return ArpaUnigrams(len(file.counts), dict(zip(words, grams.log_probabilities.tolist(), strict=True)))

    return _of_the_only_file(Path(path), read)


def is_arpa(path: str | Path) -> bool:
    """Whether a file is called .arpa, or begins as one does; False where it cannot be read."""
    path = Path(path)
    if ".arpa" in (suffix.lower() for suffix in path.suffixes):
        return True
    with suppress(InputError, OSError):
        return path.is_file() and _of_the_only_file(path, lambda file: True)
    return False


def _of_the_only_file(path: Path, read: Callable[[ArpaFile], Found]) -> Found:
    found: list[Found] = []
    with reading(path):
        for place, stream in open_streams(path):
            if found:
                raise InputError(f"{shown(path)} holds several files: unpack it and name the one to read")
            found.append(read(ArpaFile(place, stream)))
    if not found:
        raise InputError(f"{shown(path)} holds no file: fetch it again")
    return found[0]


def _escaped(symbol: str) -> str:
    def code(character: str) -> str:
        return f"<U+{ord(character):04X}>"

    if symbol in SPECIAL:
        return code(symbol[0]) + symbol[1:]
    return "".join(c if c.isprintable() and not c.isspace() else code(c) for c in symbol)


def _unescaped(name: str) -> str:
    """The symbol that `_escaped` makes this name of; where there is none, the name."""

    def character(found: re.Match[str]) -> str:
        code = int(found[1], 16)
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else found[0]

    symbol = _CODE.sub(character, name)
    return symbol if _escaped(symbol) == name else name


def _written(table: GramTable, chosen: NDArray[np.integer], words: NDArray[np.object_]) -> bytes:
    """The lines of the `chosen` n-grams [n] of a table, with `words` [n, k]."""
    logs = np.asarray(table.log_probabilities[chosen], np.float64) / _LN10
    logs = np.where(np.isfinite(logs), logs, _IMPOSSIBLE).tolist()
    spelled = map(" ".join, words.tolist())
    if table.backoffs is None:
        return "".join(f"{log:.9g}\t{gram}\n" for log, gram in zip(logs, spelled, strict=True)).encode()
    backoffs = (np.asarray(table.backoffs[chosen], np.float64) / _LN10).tolist()
    lines = zip(logs, spelled, backoffs, strict=True)
    return "".join(f"{log:.9g}\t{gram}\t{backoff:.9g}\n" for log, gram, backoff in lines).encode()


def _read(file: ArpaFile, given: Sequence[str] | None, sentence_end: int | None) -> ArpaModel:
    words, unigrams = file.unigrams()
    names = tuple(given) if given is not None else (*words, *({UNKNOWN} - {*words}))
    ids = _ids_of(file, words, unigrams, names, sentence_end)
    index = Index(len(names))
    every = [np.arange(len(names), dtype=np.int32)]
    contexts, logs, backoffs = [np.zeros_like(every[0])], [np.full(len(names), -np.inf)], [np.zeros(len(names))]
    at, rows = np.array([ids[word.encode()] for word in words], np.int64), np.arange(len(words))
    is_begin = np.array([word == BEGIN for word in words], bool)
    predicted = rows[(at >= 0) & ~is_begin]
    logs[0][at[predicted]] = unigrams.log_probabilities[predicted]
    for known in (predicted, rows[(at >= 0) & is_begin]):  # what "<s>" says of an id that is "</s>" too counts
        backoffs[0][at[known]] = unigrams.backoffs[known]
    if given is None and UNKNOWN not in words:
        logs[0][-1] = _MISSING
    for k in range(2, len(file.counts) + 1):
        grams = file.grams(k, ids)
        context, last, order = _sorted(file, index, grams, names)
        index.add(context, last)
        contexts.append(context)
        every.append(last)
        logs.append(grams.log_probabilities[order])
        backoffs.append(grams.backoffs[order])
    file.end()
    tables = backoff_tables(every, contexts, [x * _LN10 for x in logs], [x * _LN10 for x in backoffs[:-1]])
    return ArpaModel(tables, names)


def _ids_of(
    file: ArpaFile, words: Sequence[str], unigrams: Grams, names: Sequence[str], sentence_end: int | None
) -> dict[bytes, int]:
    """The id of each of `words`; only special words may have none, and then -1."""
    places = {name: i for i, name in enumerate(names)}
    special: dict[str, int] = dict.fromkeys(SPECIAL, -1)
    if sentence_end is not None:
        special |= {BEGIN: sentence_end, END: sentence_end}
    found = {}
    for row, word in enumerate(words):
        place = places.get(word, special.get(word))
        place = places.get(_escaped(word)) if place is None else place
        if place is None:
            file.fail(
                f"the word {shown(word)!r} is none of the vocabulary", "give that of the file", line=unigrams.line + row
            )
        found[word.encode()] = place
    return found


def _sorted(
    file: ArpaFile, index: Index, grams: Grams, names: Sequence[str]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Contexts and last words [n] of k-grams whose words all have ids, sorted by both, and where in the file they
    stand."""
    known = np.flatnonzero((grams.ids >= 0).all(axis=1))
    contexts, words = index.grams(grams.ids[known, :-1]), grams.ids[known, -1]

    def spelled(ids: NDArray[np.int32]) -> str:
        return repr(shown(" ".join(str(names[i]) for i in ids)[:60]))

    if (contexts < 0).any():
        row = known[(contexts < 0).argmax()]
        k = grams.ids.shape[1]
        begin = spelled(grams.ids[row, :-1])
        what = f"{spelled(grams.ids[row])} begins with {begin}, which is none of the {k - 1}-grams"
        file.fail(what, "add it, or leave this one out", line=grams.line + int(row))
    order = np.lexsort((words, contexts))
    contexts, words, order = contexts[order].astype(np.int32), words[order], known[order]
    same = np.flatnonzero((contexts[1:] == contexts[:-1]) & (words[1:] == words[:-1]))
    if len(same):
        one, other = grams.line + order[same[0]], grams.line + order[same[0] + 1]
        file.fail(f"{spelled(grams.ids[order[same[0]]])} is in line {one:,} too", "leave one out", line=int(other))
    return contexts, words, order
