"""The page docs/units.md and its picture."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.machine import describe
from benchmarks.units.experiments import BATCH, EPOCHS, PARAMETERS, TOKENIZERS, WINDOW
from benchmarks.units.results import Result
from benchmarks.units.tables import (
    accuracies,
    classifier_table,
    language_model_table,
    spaced_bits_per_syllable,
)
from benchmarks.units.texts import Counts
from benchmarks.units.unknown import CODE_POINT_BITS

_PAGE = """# Units of Korean text

The same film reviews as jamo, syllables, pieces of words and morphemes, and on each a classifier and a language model
of one family, with as many parameters, trained in the same way: what is different is the unit. Figures are means over
{seeds} seeds, with the standard deviation between them.

```console
python -m benchmarks.units --page docs/units.md --picture docs/images/units.png
```

makes the texts, the trainings, this page and its picture, and nothing twice. The {count} trainings took {hours:.1f}
hours of processor time on one core of {machine}.

![Test accuracy and bits per syllable by unit](images/units.png)

Classifiers, best first: {by_accuracy}.
The more a unit means by itself, the less is left to be learned, and the fewer steps it is carried through a review. Two
epochs are not the last word on jamo: `configs/nsmc_jamo.py`, wider and three times as long, comes to 85.55 %.

Language models, bits a syllable all told, best first: {by_bits}.
Jamo, syllables and pieces give back the text, but for what is unknown. Morphemes come with what the analyser knows of
Korean, from dictionaries and texts of its own, and leave out how they are written: theirs is the figure of a model that
has yet to spell. No model has converged, so that how fast a unit is learned is part of what is measured.

## Classifiers

{classifiers}

All of NSMC (github.com/e9t/nsmc): 150,000 reviews to train on, 50,000 to test. Of each the first 450 jamo are read, or
160 of another unit: 36 of those to train on are longer in jamo, one in pieces. An embedding, an LSTM each way, maximum
and mean over time side by side, one logit; embedding and state are as wide as {for_classifiers:,} parameters allow, so
that a large vocabulary leaves narrow layers. Adam, {epochs} epochs in batches of {batch}, and the parameters after the
last step: no measurement selects anything. "tokens" are those of the reviews to test on, "unknown" the share of them
that the vocabulary lacks, "minutes" the processor time of a training on a core that others shared.

## Language models

{language_models}

Half of 129,705 reviews, one a line, the last tenth of them to test. One LSTM, its embedding the output layer too,
{for_language_models:,} parameters; {epochs} epochs, the carry kept, in windows that hold {window} characters of raw
text in the mean, so that all models are updated as often.

A syllable is a character of Unicode's block Hangul Syllables, U+AC00 to U+D7A3, in form C. Bits a syllable are those of
the whole test part, spaces, marks, letters of other scripts and line ends among them, over the number of its syllables,
{syllables:,}; bits a character are the same, all told, over its {characters:,} characters.

Bits a syllable alone flatter a vocabulary that lacks much, for whatever it lacks is one symbol. "unknown ones spelled"
adds what says which: for a character or jamo a code point, {code_point:.1f} bits; for a morpheme the characters of its
form and an end, each for what a character costs the model of syllables in the mean, which is an estimate. Pieces are
made of bytes, and nothing is unknown. Morphemes say nothing of spaces: "and spaces" adds the bits that tell between
which of them one stands, by the tags to both sides, {spacing:.3f} a syllable. How a morpheme is written in the text,
contracted or misspelt, is still left out; and its tag, which the text does not have, is in.
"""


def page(results: Sequence[Result], counts: Counts) -> str:
    """Markdown, as of the machine it is called on."""
    machine = describe("cpu")
    return _PAGE.format(
        seeds=len({result.seed for result in results}),
        count=len(results),
        hours=sum(result.seconds for result in results) / 3600,
        machine=f"an {machine['processor']}, {machine['system']}, Python {machine['python']}",
        by_accuracy=_ranked(lambda unit: -fmean(accuracies(results, unit)), "{:.1f} %"),
        by_bits=_ranked(lambda unit: fmean(spaced_bits_per_syllable(results, counts, unit)), "{:.2f}"),
        classifiers=classifier_table(results),
        language_models=language_model_table(results, counts),
        for_classifiers=PARAMETERS["classifier"],
        for_language_models=PARAMETERS["language_model"],
        epochs=EPOCHS,
        batch=BATCH,
        window=WINDOW,
        syllables=counts.syllables,
        characters=counts.characters,
        spacing=counts.spacing_bits / counts.syllables,
        code_point=CODE_POINT_BITS,
    )


def _ranked(value: Callable[[str], float], form: str) -> str:
    """The units with their values, the lowest first; the sign of a value is not shown."""
    units = sorted(TOKENIZERS, key=value)
    return ", ".join(f"{unit} {form.format(abs(value(unit)))}" for unit in units)


def draw(results: Sequence[Result], counts: Counts, path: Path) -> None:
    """Accuracy, and bits per syllable all told, side by side; a point for each seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.8), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for at, unit in enumerate(TOKENIZERS):
        for axes, found in (
            (left, accuracies(results, unit)),
            (right, spaced_bits_per_syllable(results, counts, unit)),
        ):
            axes.plot(found, [at] * len(found), "o", alpha=0.6, color=f"C{at}")
    left.set_yticks(range(len(TOKENIZERS)), list(TOKENIZERS))
    left.invert_yaxis()
    left.set_xlabel("test accuracy of classifiers, %")
    right.set_xlabel("bits per syllable of language models, all told")
    for axes in (left, right):
        axes.margins(y=0.2)
        axes.grid(alpha=0.3)
    figure.savefig(path)
