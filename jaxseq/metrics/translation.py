"""How near translations come to those of people, over a whole corpus: BLEU and chrF by sacrebleu, and exact matches.

All are figures from 0 to 100. BLEU and chrF are worked out from counts that are summed over the corpus, and are no
means over its sentences. Neither says anything without its signature: how text was cut into words moves BLEU by points.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from jaxseq.errors import InputError
from jaxseq.metrics.metric import Metric

BLEU = Metric("bleu", "0 to 100", better="higher", form=".2f", heading="BLEU")
CHRF = Metric("chrf", "0 to 100", better="higher", form=".2f", heading="chrF")
EXACT = Metric("exact", "% of sentences", better="higher", form=".2f", heading="exact")
TRANSLATION_METRICS = (BLEU, CHRF, EXACT)
"""Of texts that were generated, not of tokens that were predicted with the right ones before them."""

Tokenization = Literal["13a", "intl", "zh", "char", "ja-mecab", "ko-mecab", "none"]
"""How BLEU cuts text into words. "none" takes text as it is, cut at white space: the "tokenized BLEU" of papers, given
text that is tokenized (and joined from its subwords) as theirs was; figures of two tokenizers are of two things. So is
the 41.02 of Multi30k English-German of Wu et al. 2021 ("Good for Misconceived Reasons"): their evaluate.sh has fairseq
count the tokens of their prepared data, joined from BPE, at beam 5 with the last ten checkpoints averaged."""
References = Sequence[str | Sequence[str]]
"""Of each sentence its reference, or its several."""

_BY_LANGUAGE: Mapping[str, Tokenization] = {
    "zh": "zh",
    "chinese": "zh",
    "ja": "char",
    "japanese": "char",
    "ko": "char",
    "korean": "char",
}
_PACKAGES = {"ja-mecab": "sacrebleu[ja]", "ko-mecab": "sacrebleu[ko]"}
_LOOKS_TOKENIZED = 0.5
"""Share of the hypotheses that end in " .", from which on they are taken for tokenized."""


class CorpusScore(NamedTuple):
    """A figure of a corpus, and what makes it one that can be compared."""

    name: str
    """As in papers: "BLEU", "chrF2", "exact"."""
    value: float
    """From 0 to 100."""
    signature: str
    """How it was measured, as sacrebleu writes it."""
    remark: str = ""
    """What must be known to read it; mostly empty."""

    def __str__(self) -> str:
        said = f"{self.name} {self.value:.2f} ({self.signature})"
        return f"{said}; {self.remark}" if self.remark else said


class TranslationScores(NamedTuple):
    """All of them."""

    bleu: CorpusScore
    chrf: CorpusScore
    exact: CorpusScore

    def summary(self) -> dict[str, float]:
        """The numbers by the names of `TRANSLATION_METRICS`."""
        return {name: score.value for name, score in self._asdict().items()}

    def __str__(self) -> str:
        return "\n".join(map(str, self))


def translation_scores(
    *, hypotheses: Sequence[str], references: References, tokenize: Tokenization = "13a", lowercase: bool = False
) -> TranslationScores:
    """BLEU, chrF and exact matches of detokenized text.

    Args:
        tokenize: how BLEU cuts texts, see `tokenization_for`.
        lowercase: whether case counts for nothing, in all three.

    Raises:
        InputError: as `bleu`.
    """
    given = _checked(hypotheses, references)
    return TranslationScores(
        bleu(hypotheses=hypotheses, references=given, tokenize=tokenize, lowercase=lowercase),
        chrf(hypotheses=hypotheses, references=given, lowercase=lowercase),
        exact_match(hypotheses=hypotheses, references=given, lowercase=lowercase),
    )


def tokenization_for(language: str) -> Tokenization:
    """What cuts a language ("de", "ko-KR", "korean") into words without another package: WMT's "13a", for Chinese "zh",
    for Japanese and Korean single characters, whose BLEU is higher than one of words; "ko-mecab" and "ja-mecab" can be
    asked for."""
    return _BY_LANGUAGE.get(language.lower().replace("_", "-").split("-")[0], "13a")


def bleu(
    *, hypotheses: Sequence[str], references: References, tokenize: Tokenization = "13a", lowercase: bool = False
) -> CorpusScore:
    """BLEU of a corpus (Papineni et al. 2002), smoothed as mteval-v13a does, by sacrebleu (Post 2018).

    Args:
        hypotheses: detokenized, unless `tokenize` is "none".

    Raises:
        InputError: there are no hypotheses, not as many references, something is no text, or a package is missing.
    """
    given = _checked(hypotheses, references)
    metric = _bleu_of(tokenize, lowercase=lowercase)
    score = metric.corpus_score(hypotheses, _streams(given))
    remarks = [_zero(score), _characters(tokenize), _tokenized(hypotheses, tokenize)]
    return CorpusScore("BLEU", score.score, str(metric.get_signature()), "; ".join(filter(None, remarks)))


def chrf(
    *, hypotheses: Sequence[str], references: References, word_order: int = 0, lowercase: bool = False
) -> CorpusScore:
    """chrF2 of a corpus, by n-grams of up to 6 characters (Popović 2015), by sacrebleu: no matter of words.

    Args:
        word_order: n-grams of words up to which count too; 2 is chrF++.

    Raises:
        InputError: as `bleu`.
    """
    given = _checked(hypotheses, references)
    if word_order < 0:
        raise InputError(f"word_order is {word_order}: give 0, or 2 for chrF++")
    metric = _sacrebleu().CHRF(lowercase=lowercase, word_order=word_order)
    score = metric.corpus_score(hypotheses, _streams(given))
    return CorpusScore(score.name, score.score, str(metric.get_signature()))


def exact_match(*, hypotheses: Sequence[str], references: References, lowercase: bool = False) -> CorpusScore:
    """The share of sentences, in percent, that are one of their references to the letter, see `letters`.

    Raises:
        InputError: as `bleu`.
    """
    given = _checked(hypotheses, references)
    hits = sum(
        letters(one, lowercase=lowercase) in (letters(other, lowercase=lowercase) for other in several)
        for one, several in zip(hypotheses, given, strict=True)
    )
    counts = {len(several) for several in given}
    signature = f"nrefs:{counts.pop() if len(counts) == 1 else 'var'}|case:{'lc' if lowercase else 'mixed'}|space:no"
    return CorpusScore("exact", 100 * hits / len(given), signature)


def letters(text: str, *, lowercase: bool = False) -> str:
    """What is compared of a text for an exact match: all but white space, as for chrF. A tokenizer of words that joins
    "claus", ":" and "dark" by spaces has written "claus: dark"."""
    return "".join((text.lower() if lowercase else text).split())


def require_packages(tokenize: Tokenization) -> None:
    """Refuses scores for which a package is missing, before there is anything to score.

    Raises:
        InputError: one is; it is named.
    """
    _bleu_of(tokenize, lowercase=False)


def _bleu_of(tokenize: Tokenization, *, lowercase: bool) -> Any:
    if tokenize not in get_args(Tokenization):
        raise InputError(f"BLEU's tokenization is {tokenize!r}: choose {', '.join(get_args(Tokenization))}")
    try:
        # sacrebleu would tell of tokenized text in a log; a remark goes where the figure goes.
        return _sacrebleu().BLEU(lowercase=lowercase, tokenize=tokenize, force=True)
    except (ImportError, RuntimeError) as error:
        package = _PACKAGES.get(tokenize, "sacrebleu")
        raise InputError(f"BLEU's tokenization {tokenize} needs packages: pip install '{package}'") from error


def _sacrebleu() -> Any:
    try:
        from sacrebleu import metrics
    except ImportError as error:
        raise InputError("BLEU and chrF need the package sacrebleu: pip install 'jaxseq[translation]'") from error
    return metrics


def _checked(hypotheses: Sequence[str], references: References) -> list[Sequence[str]]:
    """The references of each hypothesis, one or several."""
    if isinstance(hypotheses, str) or isinstance(references, str):
        raise InputError("hypotheses and references are lists of sentences: put a single one into brackets")
    if not len(hypotheses):
        raise InputError("there are no hypotheses to score: give one sentence or more")
    if len(hypotheses) != len(references):
        raise InputError(
            f"there are {len(hypotheses):,} hypotheses and references of {len(references):,} sentences: give as many"
        )
    given = [(one,) if isinstance(one, str) else one for one in references]
    for at, (hypothesis, several) in enumerate(zip(hypotheses, given, strict=True)):
        if not isinstance(hypothesis, str):
            raise InputError(f"hypothesis {at} is {hypothesis!r}: give a text, an empty one for no translation")
        if not several or not all(isinstance(one, str) for one in several):
            raise InputError(f"the references of sentence {at} are {several!r}: give one text or more")
    return given


def _streams(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """As sacrebleu has them: the first reference of every sentence, the second ones, and so on; None where fewer."""
    most = max(map(len, references))
    return [[several[k] if k < len(several) else None for several in references] for k in range(most)]


def _zero(score: Any) -> str:
    """Why BLEU is 0."""
    if score.score > 0:
        return ""
    if not score.sys_len:
        return "0, for every hypothesis is empty"
    if not score.counts[0]:
        return "0, for no word of a hypothesis is in its reference"
    return "0, for no hypothesis has 4 words, which BLEU counts n-grams up to, equal or not: see chrF"


def _characters(tokenize: Tokenization) -> str:
    return "of characters, not of words: higher than a BLEU of words" if tokenize == "char" else ""


def _tokenized(hypotheses: Sequence[str], tokenize: Tokenization) -> str:
    if tokenize == "none":
        return "of the tokens as they are given: to be compared only with figures of the same tokenizer"
    share = sum(one.endswith(" .") for one in hypotheses) / len(hypotheses)
    return 'hypotheses look tokenized, they end in " .": detokenize them first' if share > _LOOKS_TOKENIZED else ""
