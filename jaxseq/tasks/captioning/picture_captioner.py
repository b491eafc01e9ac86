"""From pictures to captions of them as token ids, and where each token looked."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from jaxseq.config import CaptioningConfig
from jaxseq.data.padding import pad_sequences, padding_mask
from jaxseq.decoding.beam import Beam
from jaxseq.nn.picture_decoder import PictureDecoder
from jaxseq.signals import Poll, never
from jaxseq.tasks.candidates import ROWS, Candidate, SourceBatch, looked_at, power_of_two, rows_for, search_each
from jaxseq.tasks.capabilities import CaptionOptions
from jaxseq.tasks.described import Caption, Described, Picture
from jaxseq.tasks.task import Variables
from jaxseq.text.caption_tokenizer import CaptionTokenizer

SEARCH = CaptionOptions()
"""As the configuration has it."""


@dataclass(frozen=True)
class PictureCaptioner:
    """What `model` says of pictures, by the beam search of `section` unless said otherwise; it has nothing but the
    picture and the language to go by. Others in its batch change nothing of a caption beyond rounding."""

    model: PictureDecoder
    tokenizer: CaptionTokenizer
    section: CaptioningConfig

    def beam(self, options: CaptionOptions = SEARCH) -> Beam:
        """The beam search of the configuration, as `options` change it. Ids that stand for no text are never chosen."""
        section = self.section
        return Beam(
            section.beam if options.beam is None else options.beam,
            n_best=options.n_best,
            length_penalty=section.length_penalty if options.length_penalty is None else options.length_penalty,
            forbidden=self._silent,
        )

    def search(
        self,
        variables: Variables,
        pictures: NDArray[np.uint8],
        languages: Sequence[str],
        beam: Beam,
        *,
        longest: int | None = None,
        poll: Poll = never,
    ) -> list[list[Candidate]]:
        """The best captions of each of pictures [n, h, w, c] in a language, best first.

        Args:
            languages: n of them.
            longest: tokens of a caption at the most, its end included; None for what the configuration has.

        Raises:
            InputError: there is no such language, or the options do not fit the model.
            NonFiniteError: its logits are not finite.
        """
        begin = np.array([self.tokenizer.begin(language) for language in languages], np.int32)
        longest = longest or self.section.longest
        batches = _batches(pictures, begin)
        found = search_each(self.model, variables, batches, beam, end=self.tokenizer.end, longest=longest, poll=poll)
        return [found[number] for number in range(len(pictures))]

    def best(
        self,
        variables: Variables,
        pictures: NDArray[np.uint8],
        languages: Sequence[str],
        beam: Beam,
        *,
        poll: Poll = never,
    ) -> list[NDArray[np.int32]]:
        """The ids of the best caption of each, its end included; as `search`."""
        one = dataclasses.replace(beam, n_best=1)
        return [found[0].ids for found in self.search(variables, pictures, languages, one, poll=poll)]

    def attention(
        self,
        variables: Variables,
        pictures: NDArray[np.uint8],
        languages: Sequence[str],
        captions: Sequence[NDArray[np.int32]],
        *,
        poll: Poll = never,
    ) -> list[NDArray[np.float32]] | None:
        """Where each token of a caption [t] looked when it was written: weights [t, rows, columns] of the cells of the
        grid, in sum 1, for each of pictures [n, h, w, c]; None where the model looks at nothing."""
        grid = self.model.encoder.grid(*pictures.shape[1:3])
        length = max(8, power_of_two(max(map(len, captions), default=1)))
        inputs = [
            np.concatenate([[self.tokenizer.begin(language)], ids[:-1]])
            for language, ids in zip(languages, captions, strict=True)
        ]
        begin = np.zeros(len(pictures), np.int32)
        maps: list[NDArray[np.float32]] = []
        for which, source, _, _ in _batches(pictures, begin):
            poll()
            rows = [inputs[number] for number in which] + [np.zeros(0, np.int32)] * (len(source) - len(which))
            mask = padding_mask([len(row) for row in rows], length=length)
            weights = looked_at(self.model, variables, source, pad_sequences(rows, length=length), mask=mask)
            if weights is None:
                return None
            weights = np.asarray(weights, np.float32).reshape(len(source), length, grid.rows, grid.columns)
            maps += [weights[row, : len(inputs[number])] for row, number in enumerate(which)]
        return maps

    def by_word(self, ids: NDArray[np.int32], maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Maps [t, rows, columns] of the tokens of a caption as those of its words, parts between spaces: each the mean
        of the tokens that end in it, or of the first behind it where none does."""
        words = np.array(self.tokenizer.words_of(ids), np.int64)
        count = len(self.tokenizer.decode(ids).split())
        own = [words == words[words >= number].min() for number in range(count)]
        return np.stack([maps[which].mean(axis=0) for which in own]) if own else maps[:0]

    def caption(
        self, variables: Variables, pictures: Iterable[Picture], *, options: CaptionOptions = SEARCH, poll: Poll = never
    ) -> Iterator[Described]:
        """Captions of every picture, in order; pictures are read some at a time.

        Raises:
            InputError: there is no such language, or the options do not fit.
        """
        languages = [options.language] if options.language else list(self.tokenizer.languages)
        for language in languages:
            self.tokenizer.begin(language)
        remaining, beam = iter(pictures), self.beam(options)
        for some in iter(lambda: list(islice(remaining, ROWS)), []):
            pixels = np.stack([picture.pixels for picture in some])
            captions = [self._captions(variables, pixels, language, beam, options, poll=poll) for language in languages]
            for at, picture in enumerate(some):
                made = dict(zip(languages, [several[at] for several in captions], strict=True))
                yield Described(picture, made, self.model.encoder.grid(*picture.pixels.shape[:2]).side)

    def _captions(
        self,
        variables: Variables,
        pictures: NDArray[np.uint8],
        language: str,
        beam: Beam,
        options: CaptionOptions,
        *,
        poll: Poll,
    ) -> list[list[Caption]]:
        """Those of each picture in a language."""
        count, longest = len(pictures), options.max_length
        found = self.search(variables, pictures, [language] * count, beam, longest=longest, poll=poll)
        maps = None
        if options.attention:
            owners = [at for at, some in enumerate(found) for _ in some]
            ids = [one.ids for some in found for one in some]
            maps = self.attention(variables, pictures[owners], [language] * len(ids), ids, poll=poll)
        looked = iter(maps or [])
        return [
            [
                Caption(
                    self.tokenizer.decode(one.ids),
                    one.score,
                    one.log_probability,
                    one.certified,
                    None if maps is None else self.by_word(one.ids, next(looked)),
                )
                for one in some
            ]
            for some in found
        ]

    @cached_property
    def _silent(self) -> tuple[int, ...]:
        return self.tokenizer.silent_ids


def _batches(pictures: NDArray[np.uint8], begin: NDArray[np.int32]) -> Iterator[SourceBatch]:
    rows = rows_for(len(pictures))
    for at in range(0, len(pictures), rows):
        some, first = pictures[at : at + rows], begin[at : at + rows]
        missing = rows - len(some)
        if missing:
            some = np.concatenate([some, np.zeros((missing, *some.shape[1:]), some.dtype)])
            first = np.concatenate([first, np.full(missing, first[0])])
        yield SourceBatch(range(at, min(at + rows, len(pictures))), some, None, first)
