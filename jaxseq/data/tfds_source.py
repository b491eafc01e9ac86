"""Text data sets of tensorflow-datasets, read without TensorFlow."""

import os
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxseq.errors import InputError

_FORM = re.compile(
    r"(?P<name>[^:#\[\]]+(:\d+\.[\d*]+\.[\d*]+)?)(:(?P<split>[^#]+))?(#(?P<feature>.+))?",
)
_PROBE = "https://storage.googleapis.com"
_REMEDY = "give a file as --data.source instead"


class Spec(NamedTuple):
    """NAME[/config][:version][:split][#feature]."""

    name: str
    split: str | None
    feature: str | None


def read_tfds(spec: str) -> Iterator[str]:
    """The texts of a data set, one for each example.

    Args:
        spec: `NAME[/config][:version][:split][#feature]`. The split takes tfds's own syntax, `train[:10%]` and
            `train+test` included; without one it is "train". The feature matters only where several hold text and
            none is called "text".

    A data set prepared in $TFDS_DATA_DIR (or ~/tensorflow_datasets) is read from there. One that is not is downloaded
    and prepared as ArrayRecord, the format that tfds reads without TensorFlow, if the network answers at once. The code
    of some data sets (tiny_shakespeare is one) imports TensorFlow to prepare them: then it has to be installed, once.

    Raises:
        InputError: there is no such data set, split or text feature, or it is neither here nor can it be fetched.
    """
    wanted = parse_spec(spec)
    builder = prepared(wanted.name)
    feature = wanted.feature or _text_feature(wanted.name, builder.info.features)
    for number, example in enumerate(data_source(builder, split_of(wanted, builder), wanted, spec)):
        yield _text_of(example, feature, f"tfds:{spec}", number)


def read_labelled_tfds(spec: str, *, text: str, label: str, parts: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The labelled texts of a data set, each with its part before and its label behind it: (part, text, label).

    Args:
        spec: as in `read_tfds`. Without a split it is every split that is among `parts`; what a split that is asked for
            holds has the part "".
        text: the feature of the texts, if there is one of that name.
        label: the feature of the labels. A ClassLabel gives the names of its classes.
        parts: the parts of a data set by the names of splits.

    Raises:
        InputError: as in `read_tfds`; or there is no such label, or an example has none.
    """
    wanted = parse_spec(spec)
    builder = prepared(wanted.name)
    features = builder.info.features
    feature = wanted.feature or (text if text in features else _text_feature(wanted.name, features))
    if label not in features:
        raise InputError(
            f"tfds:{wanted.name} has no feature {label!r}, only {', '.join(sorted(features))}: name that of the labels "
            "as --data.label-column"
        )
    named = [(parts[split], split) for split in sorted(builder.info.splits) if split in parts]
    splits = named if wanted.split is None and named else [("", split_of(wanted, builder))]
    for part, split in splits:
        for number, example in enumerate(data_source(builder, split, wanted, spec)):
            place = f"tfds:{spec}, {split}"
            yield part, _text_of(example, feature, place, number), _label_of(example, label, features, place, number)


def data_source(builder: Any, split: str, wanted: Spec, spec: str, *, decoders: Any = None) -> Any:
    """The examples of a split, each a dictionary of its features.

    Args:
        decoders: tfds's own, by features.

    Raises:
        InputError: there is no such split, or its files need TensorFlow.
    """
    try:
        return builder.as_data_source(split, decoders=decoders)
    except NotImplementedError as error:
        raise InputError(
            f"tfds:{wanted.name} lies in {builder.data_path} in a format that needs TensorFlow: prepare it with "
            f'file_format="array_record", or {_REMEDY}'
        ) from error
    except ValueError as error:
        raise InputError(f"tfds:{spec}: {_first_line(error)}") from error


def _label_of(example: dict[str, Any], label: str, features: Any, source: str, number: int) -> str:
    import tensorflow_datasets as tfds

    value, feature = example[label], features[label]
    if isinstance(feature, tfds.features.ClassLabel):
        if not 0 <= int(value) < (feature.num_classes or 0):
            raise InputError(f"{source}: example {number} has no label ({label!r} is {value}): choose another split")
        return feature.int2str(int(value))
    if isinstance(value, bytes):
        return _text_of(example, label, source, number).strip()
    if np.ndim(value) or np.asarray(value).dtype.kind not in "iub":
        raise InputError(f"{source}: the feature {label!r} is no label: name another one as --data.label-column")
    return str(value)


def tfds_identity(spec: str) -> list[object]:
    """What tells the texts of a data set from others: full name with version, split, feature, and the files it is in.

    Raises:
        InputError: as in `read_tfds`.
    """
    wanted = parse_spec(spec)
    builder = prepared(wanted.name)
    try:
        files = sorted(os.scandir(builder.data_path), key=lambda entry: entry.name)
        stats = [(file.name, file.stat()) for file in files]
    except OSError as error:
        raise InputError(f"tfds:{spec} cannot be read ({error.strerror}): check {builder.data_path}") from error
    times = [(name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in stats]
    return [builder.info.full_name, split_of(wanted, builder), wanted.feature, times]


def parse_spec(spec: str) -> Spec:
    """What follows "tfds:".

    Raises:
        InputError: it names no data set.
    """
    match = _FORM.fullmatch(spec)
    if match is None:
        raise InputError(f"tfds:{spec} names no data set: write tfds:NAME[/config][:version][:split][#feature]")
    return Spec(match["name"], match["split"], match["feature"])


def prepared(name: str) -> Any:
    """The builder of a data set whose files are here, fetched now if they were not.

    Raises:
        InputError: there is no such data set, or it cannot be fetched.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise InputError(f"tfds:{name} needs tensorflow-datasets ({error}): pip install tensorflow-datasets") from error
    data_dir = os.environ.get("TFDS_DATA_DIR")
    try:
        builder = tfds.builder(name, data_dir=data_dir)
        if os.path.isfile(os.path.join(builder.data_path, "dataset_info.json")):
            return builder
        builder = tfds.builder(name, data_dir=data_dir, file_format="array_record")
    except Exception as error:  # tfds raises its own, plain ones and those of a data set's module
        raise InputError(f"tfds:{name} is no data set that tfds can open ({_first_line(error)}): {_REMEDY}") from error
    if not _online():
        raise InputError(f"tfds:{name} is not in {builder.data_path} and there is no network to fetch it: {_REMEDY}")
    try:
        builder.download_and_prepare()
    except ImportError as error:
        raise InputError(
            f"tfds:{name} needs another package to be prepared, once ({_first_line(error)}): install it (pip install "
            f"{error.name or 'tensorflow'}), or {_REMEDY}"
        ) from error
    except Exception as error:
        raise InputError(f"tfds:{name} could not be fetched ({_first_line(error)}): {_REMEDY}") from error
    return builder


def _online(seconds: float = 3.0) -> bool:
    """Whether the store of tfds's data sets answers in time; tfds itself retries for minutes."""
    import urllib.error
    import urllib.request

    answered = threading.Event()

    def probe() -> None:
        try:
            urllib.request.urlopen(_PROBE, timeout=seconds).close()
        except urllib.error.HTTPError:
            answered.set()
        except OSError:
            return
        answered.set()

    # A thread, as no time-out reaches a name server that does not answer.
    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(seconds)
    return answered.is_set()


def split_of(wanted: Spec, builder: Any) -> str:
    """The split that is asked for, or "train", or the only one there is."""
    splits = list(builder.info.splits)
    if wanted.split is None and "train" not in splits and len(splits) == 1:
        return splits[0]
    return wanted.split or "train"


def _text_feature(name: str, features: Any) -> str:
    import tensorflow_datasets as tfds

    items = features.items() if isinstance(features, tfds.features.FeaturesDict) else ()
    # Sorted: tfds keeps no order of features, and a remedy should read the same every time.
    texts = sorted(key for key, feature in items if isinstance(feature, tfds.features.Text))
    if "text" in texts or len(texts) == 1:
        return "text" if "text" in texts else texts[0]
    if not texts:
        raise InputError(f"tfds:{name} has no text among its features ({', '.join(sorted(dict(items)))}): {_REMEDY}")
    raise InputError(f"tfds:{name} has several texts ({', '.join(texts)}): choose one, tfds:{name}#{texts[0]}")


def _text_of(example: dict[str, Any], feature: str, source: str, number: int) -> str:
    text = example.get(feature)
    if not isinstance(text, bytes):
        raise InputError(f"{source}: the feature {feature!r} is no text; there are {', '.join(sorted(example))}")
    try:
        return text.decode("utf-8").removeprefix("\ufeff")  # a byte-order mark
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source}: example {number} is not valid utf-8: byte 0x{text[error.start]:02x} at offset {error.start} "
            f"({error.reason}): choose another split, or {_REMEDY}"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
