"""The data of works with encoder-decoders, made in a process of its own, so that the runner holds no JAX.

    python -m benchmarks.pairs WORK FOLDER [RUN]

All sizes are those of the work's file in configs/. Its pairs are the published ones where they are found, else a table
of made-up sentences.
"""

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks import data
from benchmarks.works import WORKS, Work
from jaxseq.config import AdamConfig, ExperimentConfig, PairsConfig, load_config, to_json
from jaxseq.data.examples import join_sequences
from jaxseq.runs.in_memory import train_model
from jaxseq.runs.load import load_run
from jaxseq.signals import never
from jaxseq.tasks.translation.pair_texts import read_splits, train_tokenizers
from jaxseq.tasks.translation.translation import TOKENIZERS, TranslationTask

EXPERIMENT, WEIGHTS, BATCHES, SEARCH = "experiment.json", "weights.npz", "batches.npz", "search.npz"
"""Files in a work's folder."""
LAP = 10
"""Batches of a training work, the first of the loader's; a round goes through them in a circle."""
SENTENCES = "multi30k/test_2016_flickr.de.gz"
"""Those that are translated."""
_UPDATES = 400
"""Steps of the model that translates, where no run is given."""
_MADE_UP = 4000
"""Pairs."""


def experiment(work: Work, folder: Path) -> ExperimentConfig:
    """The work's configuration, its pairs those that are found here, with no split but that to train on."""
    config, _ = load_config(Path(__file__).parents[1] / "configs" / f"{work.experiment}.py")
    section = config.data
    assert isinstance(section, PairsConfig)
    sources = {
        name: getattr(section, name).replace("data/", f"{data.folder()}/", 1)
        if data.real_texts() and not name.startswith(("validation", "test"))
        else ""
        for name in ("source", "target", "validation_source", "validation_target", "test_source", "test_target")
    }
    if not sources["source"]:
        table = folder / "pairs.tsv"
        table.write_text(_made_up_table(), encoding="utf-8")
        sources["source"] = str(table)
    return dataclasses.replace(config, data=dataclasses.replace(section, **sources))


def _made_up_table() -> str:
    """Sentences of 2 to 40 words beside those in another language, in the opposite order."""
    rng = np.random.default_rng(6)
    sentences = [rng.zipf(1.3, length) % 9000 for length in rng.poisson(10, _MADE_UP) + 2]
    return "".join(f"{' '.join(f'w{k}' for k in one)}\t{' '.join(f'v{k}' for k in one[::-1])}\n" for one in sentences)


def opened(config: ExperimentConfig, tokenizers: bytes) -> TranslationTask:
    """The task of a configuration, with the data that are named there."""
    task = TranslationTask.restore(config, {TOKENIZERS: tokenizers})
    assert isinstance(config.data, PairsConfig)
    return dataclasses.replace(task, texts=read_splits(config.data, seed=config.train.seed, poll=never))


def named(params: Any) -> dict[str, np.ndarray]:
    """Parameters by their paths, as in "encoder/block_0/attention/input/kernel"."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf) for path, leaf in leaves}


def nested(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What `named` was given."""
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        *path, last = name.split("/")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = array
    return tree


def prepare(work: Work, folder: Path, run: Path | None = None) -> None:
    """Writes what the workers of an encoder-decoder's work read.

    experiment.json, tokenizers.json and weights.npz, see `named`. For training batches.npz: the fields of a `PairBatch`
    with the number of the batch behind them, as in source_0. For a search search.npz: ids [n] int32 and offsets [k + 1]
    int64 of the sources, and forbidden [f] int32, start, end, longest, beam and length_penalty.

    Args:
        run: Directory of the run whose model searches; None trains one for a while.
    """
    if work.kind == "translate" and run is not None:
        loaded = load_run(run)
        task, params = loaded.task, loaded.params
        assert isinstance(task, TranslationTask)
    else:
        task, params = _begun(work, folder)
    if work.kind == "translate":
        if run is None:
            optimizer = AdamConfig(learning_rate=1e-3, clip_norm=1.0)
            params = train_model(task.loss, params, task.training_loader, steps=_UPDATES, optimizer=optimizer)
        np.savez(folder / SEARCH, **_search(work, task))
    else:
        loader = task.training_loader
        batches = [loader(step)._asdict() for step in range(min(LAP, loader.steps_per_epoch))]
        np.savez(
            folder / BATCHES,
            **{f"{name}_{i}": array for i, batch in enumerate(batches) for name, array in batch.items()},
        )
    (folder / EXPERIMENT).write_text(to_json(task.experiment), encoding="utf-8")
    (folder / TOKENIZERS).write_bytes(task.artifacts()[TOKENIZERS])
    np.savez(folder / WEIGHTS, **named(params))


def _begun(work: Work, folder: Path) -> tuple[TranslationTask, Any]:
    """The task, and fresh parameters."""
    config = experiment(work, folder)
    assert isinstance(config.data, PairsConfig)
    texts = read_splits(config.data, seed=config.train.seed, poll=never)
    tokenizers = train_tokenizers(config.data, texts["train"]["train"].pairs)
    restored = TranslationTask.restore(config, {TOKENIZERS: json.dumps(tokenizers.to_json()).encode()})
    task = dataclasses.replace(restored, texts=texts)
    return task, task.init(jax.random.key(0))["params"]


def _search(work: Work, task: TranslationTask) -> dict[str, Any]:
    text = data.published(SENTENCES)
    texts = text.splitlines() if text is not None else task.texts["train"]["train"].pairs.sources[:1000]
    sources = join_sequences(task.tokenizers.encode_sources(texts[:: max(1, len(texts) // work.time)]))
    beam, target = task.translator.beam, task.tokenizers.target
    return {
        "ids": sources.ids,
        "offsets": sources.offsets,
        "forbidden": np.array(beam.forbidden, np.int32),
        "start": target.start,
        "end": target.end,
        "longest": task.section.longest,
        "beam": work.beam,
        "length_penalty": beam.length_penalty,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=[name for name, work in WORKS.items() if work.experiment])
    parser.add_argument("folder", type=Path)
    parser.add_argument("run", type=Path, nargs="?")
    arguments = parser.parse_args()
    prepare(WORKS[arguments.work], arguments.folder, arguments.run)


if __name__ == "__main__":
    main()
