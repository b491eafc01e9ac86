"""Data sets of pictures of tensorflow-datasets, read without TensorFlow: with captions, or with a class for each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxseq.data.tfds_source import Spec, data_source, parse_spec, prepared, split_of
from jaxseq.errors import InputError

_LANGUAGES = "--data.languages"
Path = tuple[str, ...]
"""The keys on the way to a feature: ("captions", "text")."""


class CaptionedExample(NamedTuple):
    """One example of a data set."""

    name: str
    """That of the picture's file where the data set has it, or else its split and number."""
    data: bytes
    """The picture, encoded."""
    captions: list[tuple[str, str]]
    """(language, caption); the language is "" where none is named."""


def captioned_examples(spec: str, *, languages: Sequence[str]) -> Iterator[CaptionedExample]:
    """The examples of a data set of pictures and captions, in its order.

    Args:
        spec: as of `read_tfds`.
        languages: the features of captions, as "captions/text" of coco_captions; one of several languages (tfds's
            Translation) has them as "captions/de". Without any those called a caption, or the only text there is.

    Raises:
        InputError: as `read_tfds`; there is no picture or no such caption, or one without words.
    """
    wanted = parse_spec(spec)
    builder = prepared(wanted.name)
    picture, texts, name_path = _features(builder.info.features, wanted)
    chosen = _chosen(texts, languages, wanted.name)
    split = split_of(wanted, builder)
    for number, example in enumerate(data_source(builder, split, wanted, spec, decoders=_undecoded(picture))):
        here = f"tfds:{spec}, example {number}"
        captions = []
        for language, path in chosen.items():
            for text in _texts_at(example, path, here):
                if not text.strip():
                    raise InputError(f"{here} has a caption without words ({'/'.join(path)}): choose another split")
                captions.append((language, text.strip()))
        if not captions:
            raise InputError(f"{here} has no caption: choose another split")
        name = _texts_at(example, name_path, here)[0] if name_path else f"{split} {number}"
        yield CaptionedExample(name, _value_at(example, picture), captions)


def labelled_pictures(spec: str, split: str) -> Iterator[tuple[bytes, int]]:
    """The pictures of a split, encoded, and their class ids.

    Raises:
        InputError: as `read_tfds`; or there is no picture, or not one feature that is a class.
    """
    import tensorflow_datasets as tfds

    wanted = parse_spec(spec)
    builder = prepared(wanted.name)
    picture, _, _ = _features(builder.info.features, wanted)
    classes = [path for path, feature in _walk(builder.info.features) if isinstance(feature, tfds.features.ClassLabel)]
    if len(classes) != 1:
        raise InputError(f"tfds:{wanted.name} has {len(classes)} features that are classes: give one with one")
    for example in data_source(builder, split, wanted, spec, decoders=_undecoded(picture)):
        yield _value_at(example, picture), int(_value_at(example, classes[0]))


def _walk(features: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """All features that hold values, sorted, each with the way to it."""
    import tensorflow_datasets as tfds

    if isinstance(features, tfds.features.Sequence):
        yield from _walk(features.feature, path)
    elif isinstance(features, tfds.features.FeaturesDict):
        for key in sorted(features):
            yield from _walk(features[key], (*path, key))
    else:
        yield path, features


def _features(features: Any, wanted: Spec) -> tuple[Path, list[Path], Path | None]:
    """The way to the picture, to the texts, and to the name of its file where there is one."""
    import tensorflow_datasets as tfds

    found = list(_walk(features))
    pictures = {"/".join(path): path for path, feature in found if isinstance(feature, tfds.features.Image)}
    if not pictures:
        raise InputError(f"tfds:{wanted.name} has no picture among its features: give another data set")
    if wanted.feature is None and len(pictures) > 1:
        names = ", ".join(pictures)
        raise InputError(
            f"tfds:{wanted.name} has several pictures ({names}): choose one, tfds:{wanted.name}#{min(pictures)}"
        )
    chosen = wanted.feature or next(iter(pictures))
    if chosen not in pictures:
        raise InputError(
            f"tfds:{wanted.name} has no picture {chosen!r}, only {', '.join(pictures)}: choose one of these"
        )
    texts = [path for path, feature in found if isinstance(feature, tfds.features.Text)]
    files = [path for path in texts if path[-1].split("/")[-1] in ("filename", "file_name")]
    return pictures[chosen], [path for path in texts if path not in files], files[0] if files else None


def _chosen(texts: Sequence[Path], languages: Sequence[str], name: str) -> Mapping[str, Path]:
    """The ways to the captions by their languages."""
    known = {"/".join(path): path for path in texts}
    if languages:
        if missing := [language for language in languages if language not in known]:
            raise InputError(
                f"tfds:{name} has no text {missing[0]!r}, only {', '.join(known) or 'none'}: name others by "
                f"{_LANGUAGES}"
            )
        return {language: known[language] for language in languages}
    called = [path for path in texts if "caption" in path[0].lower()] or list(texts)
    if len(called) != 1:
        what = f"several texts ({', '.join(known)})" if called else "no texts"
        raise InputError(f"tfds:{name} has {what}: name those that are captions by {_LANGUAGES}")
    return {"": called[0]}


def _undecoded(picture: Path) -> Any:
    """Decoders that leave the picture as its file's bytes, which all pictures are read from alike."""
    import tensorflow_datasets as tfds

    decoders: Any = tfds.decode.SkipDecoding()
    for key in reversed(picture):
        decoders = {key: decoders}
    return decoders


def _value_at(example: Any, path: Path) -> Any:
    for key in path:
        example = example[key]
    return example


def _texts_at(example: Any, path: Path, here: str) -> list[str]:
    """The text, or all texts of a sequence."""
    values = np.asarray(_value_at(example, path), object).ravel().tolist()
    try:
        return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values]
    except UnicodeDecodeError as error:
        raise InputError(f"{here} is not valid utf-8 ({error.reason}): choose another split") from error
