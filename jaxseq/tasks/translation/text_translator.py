"""From texts to their translations, as a task's section of the configuration has them."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import jax
import numpy as np
from numpy.typing import NDArray

from jaxseq.config import TranslationConfig
from jaxseq.decoding.beam import Beam
from jaxseq.errors import InputError
from jaxseq.nn.encoder_decoder import EncoderDecoder
from jaxseq.signals import Poll, never
from jaxseq.tasks.candidates import Candidate
from jaxseq.tasks.capabilities import Hypothesis, Translation, TranslationOptions
from jaxseq.tasks.task import Variables
from jaxseq.tasks.translation.translator import Translator
from jaxseq.text.pair_tokenizers import PairTokenizers

SEARCH = TranslationOptions()
"""As the configuration has it."""
_AT_ONCE = 4096
"""Texts that are translated before the next ones are read."""


@dataclass(frozen=True)
class TextTranslator:
    """What `model` makes of texts, by the beam search of `section` unless said otherwise."""

    model: EncoderDecoder
    tokenizers: PairTokenizers
    section: TranslationConfig

    @property
    def beam(self) -> Beam:
        """The beam search of the configuration. Ids that stand for no text are never chosen."""
        section = self.section
        return Beam(
            section.beam,
            length_penalty=section.length_penalty,
            coverage_penalty=section.coverage_penalty,
            forbidden=self._silent,
        )

    def best(self, variables: Variables, texts: Sequence[str], beam: Beam, *, poll: Poll = never) -> list[str]:
        """The best translation of each text by `beam`, in order."""
        sources = self.tokenizers.encode_sources(texts)
        found = self._ids.search(variables, sources, beam, longest=self.section.longest, poll=poll)
        return [self.tokenizers.decode(best[0].ids) for best in found]

    def translate(
        self, variables: Variables, texts: Iterable[str], *, options: TranslationOptions = SEARCH, poll: Poll = never
    ) -> Iterator[Translation]:
        """A translation for every text, in order; texts are read some thousands at a time.

        Raises:
            InputError: the options do not fit the model or each other, or the prefix has an unknown word.
        """
        remaining, prefix = iter(texts), self._prefix(options.prefix)
        for number, chunk in enumerate(iter(lambda: list(islice(remaining, _AT_ONCE)), [])):
            sources = self.tokenizers.encode_sources(chunk)
            filled = [at for at, text in enumerate(chunk) if text.strip()]
            key = jax.random.fold_in(jax.random.key(options.seed), number)
            found = self._found(variables, [sources[at] for at in filled], options, prefix, key, poll)
            candidates = dict(zip(filled, found, strict=True))
            for at, text in enumerate(chunk):
                yield self._translation(variables, text, sources[at], candidates.get(at, []), options)

    def _found(
        self,
        variables: Variables,
        sources: Sequence[NDArray[np.int32]],
        options: TranslationOptions,
        prefix: Sequence[int],
        key: jax.Array,
        poll: Poll,
    ) -> list[list[Candidate]]:
        longest = options.max_length or self.section.longest
        if options.sampling is not None:
            if prefix:
                raise InputError(f"the prefix is {options.prefix!r} and translations are drawn: leave one of them out")
            sampling = dataclasses.replace(options.sampling, forbidden=self._silent)
            count = options.n_best
            return self._ids.sample(variables, sources, sampling, count=count, longest=longest, key=key, poll=poll)
        given = {
            "size": options.beam,
            "length_penalty": options.length_penalty,
            "coverage_penalty": options.coverage_penalty,
        }
        changed = {name: value for name, value in given.items() if value is not None}
        beam = dataclasses.replace(self.beam, n_best=options.n_best, **changed)
        return self._ids.search(variables, sources, beam, longest=longest, prefix=prefix, poll=poll)

    def _translation(
        self,
        variables: Variables,
        text: str,
        source: NDArray[np.int32],
        found: Sequence[Candidate],
        options: TranslationOptions,
    ) -> Translation:
        read, made = (side.vocabulary.symbols for side in (self.tokenizers.source, self.tokenizers.target))
        hypotheses = [
            Hypothesis(
                self.tokenizers.decode(one.ids),
                one.score,
                one.log_probability,
                one.certified,
                [made[id] for id in one.ids],
                self._ids.attention(variables, source, one.ids) if options.attention else None,
            )
            for one in found
        ]
        unknown = self.tokenizers.source.unknown_words(text)
        return Translation(text, hypotheses, unknown, [read[id] for id in source])

    def _prefix(self, text: str) -> list[int]:
        """The ids that translations begin with."""
        if not text:
            return []
        if unknown := self.tokenizers.target.unknown_words(text):
            raise InputError(f"the prefix has {unknown[0]!r}, which the vocabulary does not know: take other words")
        return self.tokenizers.target.inner.encode(text).tolist()

    @cached_property
    def _ids(self) -> Translator:
        return Translator(self.model, self.tokenizers)

    @cached_property
    def _silent(self) -> tuple[int, ...]:
        target = self.tokenizers.target
        return tuple(sorted({*range(len(target.vocabulary.specials)), *target.silent_ids}))
