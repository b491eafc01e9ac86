"""The results as tables."""

from collections.abc import Sequence
from statistics import fmean, stdev

from benchmarks.units.experiments import TOKENIZERS, Kind
from benchmarks.units.results import Result
from benchmarks.units.texts import Counts
from benchmarks.units.unknown import CODE_POINT_BITS


def of(results: Sequence[Result], kind: Kind, unit: str) -> list[Result]:
    """Those of one kind and unit."""
    return [result for result in results if (result.kind, result.unit) == (kind, unit)]


def accuracies(results: Sequence[Result], unit: str) -> list[float]:
    """Of the classifiers of a unit, in hundredths."""
    return [100 * result.score for result in of(results, "classifier", unit)]


def bits_per_syllable(results: Sequence[Result], counts: Counts, unit: str) -> list[float]:
    """Of the language models of a unit, an unknown token counting as one symbol."""
    return [result.score / counts.syllables for result in of(results, "language_model", unit)]


def spelled_bits_per_syllable(results: Sequence[Result], counts: Counts, unit: str) -> list[float]:
    """The same with what says which symbol an unknown token is: of characters and jamo a code point; of morphemes the
    characters of the form, each for what a character costs the language models of syllables in the mean."""
    each = CODE_POINT_BITS
    if unit == "morphemes":
        each = fmean(result.score for result in of(results, "language_model", "syllables")) / counts.characters
    found = of(results, "language_model", unit)
    return [(result.score + each * result.unknown_characters) / counts.syllables for result in found]


def spaced_bits_per_syllable(results: Sequence[Result], counts: Counts, unit: str) -> list[float]:
    """The same with spaces, which all but morphemes have anyway."""
    spaces = counts.spacing_bits / counts.syllables if unit == "morphemes" else 0.0
    return [bits + spaces for bits in spelled_bits_per_syllable(results, counts, unit)]


def classifier_table(results: Sequence[Result]) -> str:
    """A line for each unit, as Markdown."""
    rows = [["unit", *_SIZE, "test accuracy", "minutes"]]
    for unit in TOKENIZERS:
        found = of(results, "classifier", unit)
        rows.append([unit, *_size(found[0]), f"{_spread(accuracies(results, unit), 2)} %", _minutes(found)])
    return _markdown(rows)


def language_model_table(results: Sequence[Result], counts: Counts) -> str:
    """A line for each unit, as Markdown."""
    rows = [["unit", *_SIZE, "bits a syllable", "unknown ones spelled", "and spaces", "bits a character", "minutes"]]
    for unit in TOKENIZERS:
        found = of(results, "language_model", unit)
        ways = (bits_per_syllable, spelled_bits_per_syllable, spaced_bits_per_syllable)
        each = [way(results, counts, unit) for way in ways]
        each.append([bits * counts.syllables / counts.characters for bits in each[-1]])
        rows.append([unit, *_size(found[0]), *(_spread(values, 3) for values in each), _minutes(found)])
    return _markdown(rows)


def tables(results: Sequence[Result], counts: Counts) -> str:
    """Both."""
    return f"{classifier_table(results)}\n\n{language_model_table(results, counts)}"


_SIZE = ("vocabulary", "embedding", "state", "parameters", "tokens", "unknown")


def _size(result: Result) -> list[str]:
    numbers = (result.vocabulary, result.embedding, result.state, result.parameters, result.tokens)
    return [*(f"{number:,}" for number in numbers), f"{result.unknown / result.tokens:.2%}"]


def _spread(values: Sequence[float], digits: int) -> str:
    """Mean and standard deviation, this where there is one."""
    deviation = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{digits}f}{deviation}"


def _minutes(results: Sequence[Result]) -> str:
    return f"{fmean(result.seconds for result in results) / 60:.1f}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([head, "| --- " * len(rows[0]) + "|", *body])
