"""How good captions are that a model wrote by itself, from the picture and the language alone.

None of these figures is one of words that were predicted with the right ones before them: those are loss and accuracy.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

from jaxseq.config.tasks import Tokenization
from jaxseq.data.captions import Captioned
from jaxseq.metrics.metric import Metric
from jaxseq.metrics.translation import TranslationScores, letters, tokenization_for, translation_scores

Tokenizing = Literal["by language"] | Tokenization
"""How BLEU cuts texts: `tokenization_for` their language, or all alike."""

_FREE = "free-running"
EXACT = Metric("exact", f"% of captions, {_FREE}", better="higher", form=".2f")
CAPTION_METRICS = (
    Metric("bleu", f"mean of languages, {_FREE}", better="higher", form=".2f", heading="BLEU"),
    Metric("chrf", f"mean of languages, {_FREE}", better="higher", form=".2f", heading="chrF"),
    EXACT,
    Metric("right", f"% of pictures with every caption exact, {_FREE}", better="higher", form=".2f"),
    Metric("distinct", f"captions, {_FREE}", better="higher", form=".0f"),
)
"""Over all languages. "distinct" counts captions, each once however many pictures have it: a model that looks at no
picture has one for each language."""


class Asked(NamedTuple):
    """A caption that is to be written, and those that people gave."""

    picture: int
    """Number of the picture."""
    language: str
    references: tuple[str, ...]


class CaptionScores(NamedTuple):
    """Of the captions of a part of a split."""

    by_language: Mapping[str, TranslationScores]
    distinct: Mapping[str, tuple[int, int]]
    """By language, how many different captions there are, and how many there are among the references."""
    exact: float
    """Share of captions that are one of their references to the letter, white space aside, in percent."""
    right: float
    """The same of pictures of which all captions are."""

    def summary(self) -> dict[str, float]:
        """The numbers by the names of `CAPTION_METRICS`, and after them those of `metrics_of` each language."""
        each = [scores.summary() for scores in self.by_language.values()]
        whole = {name: sum(one[name] for one in each) / len(each) for name in ("bleu", "chrf")}
        counts = {language: float(count) for language, (count, _) in self.distinct.items()}
        whole |= {"exact": self.exact, "right": self.right, "distinct": sum(counts.values())}
        for language, scores in self.by_language.items():
            if language:
                whole |= {f"{name}_{language}": value for name, value in scores.summary().items()}
                whole[f"distinct_{language}"] = counts[language]
        return whole


def metrics_of(languages: Sequence[str]) -> tuple[Metric, ...]:
    """Metrics of single languages, for those that have a name."""
    return tuple(
        metric._replace(
            name=f"{metric.name}_{language}", unit=_FREE, heading=f"{metric.heading or metric.name} {language}"
        )
        for language in languages
        if language
        for metric in CAPTION_METRICS
        if metric.name != "right"
    )


def asked_of(captioned: Captioned) -> list[Asked]:
    """A caption in each language that a picture has one in, picture by picture."""
    asked = []
    for number, captions in enumerate(captioned.captions):
        for language in dict.fromkeys(language for language, _ in captions):
            asked.append(Asked(number, language, tuple(text for name, text in captions if name == language)))
    return asked


def caption_scores(
    asked: Sequence[Asked], written: Sequence[str], *, tokenize: Tokenizing, lowercase: bool = False
) -> CaptionScores:
    """Scores of what was written for each of `asked`.

    Args:
        tokenize: how BLEU cuts texts; "by language" as `tokenization_for` has it.

    Raises:
        InputError: as `jaxseq.metrics.translation.bleu`.
    """
    fold = partial(letters, lowercase=lowercase)
    by_language, distinct = {}, {}
    for language in dict.fromkeys(one.language for one in asked):
        pairs = [(text, one.references) for one, text in zip(asked, written, strict=True) if one.language == language]
        texts, references = [text for text, _ in pairs], [some for _, some in pairs]
        by_language[language] = translation_scores(
            hypotheses=texts, references=references, tokenize=tokenization(tokenize, language), lowercase=lowercase
        )
        distinct[language] = len(set(texts)), len({text for some in references for text in some})
    hits = [fold(text) in map(fold, one.references) for one, text in zip(asked, written, strict=True)]
    pictures: dict[int, bool] = {}
    for one, hit in zip(asked, hits, strict=True):
        pictures[one.picture] = pictures.get(one.picture, True) and hit
    shares = [100 * sum(some) / len(some) for some in (hits, pictures.values())]
    return CaptionScores(by_language, distinct, *shares)


def tokenization(tokenize: Tokenizing, language: str) -> Tokenization:
    """How BLEU cuts texts in a language."""
    return tokenization_for(language) if tokenize == "by language" else tokenize
