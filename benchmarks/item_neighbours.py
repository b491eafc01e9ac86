"""What the neighbours of items are worth, in baskets that were held out and by what is known of the items.

    python -m benchmarks.item_neighbours runs/item2vec
    python -m benchmarks.item_neighbours runs/item2vec --properties data/ml-latest-small/movies.csv --column genres
    python -m benchmarks.item_neighbours runs/item2vec --gensim 60    and of gensim's vectors of the same baskets

- held out: of the 10 items nearest to an item of a basket of the test split, the share that is in that basket too; the
  mean over a basket's items, then over baskets. Beside it what 10 items drawn at random come to, and the 10 that are in
  most baskets to train on, to which popularity alone leads.
- alike: the mean Jaccard index of an item's properties and those of its 10 nearest, for items of the training split;
  beside it that of any two items.

Run it from where the run was trained, as it reads the baskets again. gensim's Word2Vec has the run's settings and the
number of epochs that is given; the items of each basket are shuffled for it in each epoch too.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaxseq.config import BasketsConfig
from jaxseq.data.baskets import read_titles
from jaxseq.data.examples import Sequences
from jaxseq.data.table_files import open_tables
from jaxseq.data.tables import filled_rows, read_rows
from jaxseq.ops.neighbours import nearest_rows
from jaxseq.runs import Run, load_run
from jaxseq.tasks import WordVectorLearning, Workspace

NEAR = 10


def neighbours(vectors: NDArray[np.float32]) -> NDArray[np.int32]:
    """The 10 nearest items [v, 10] by cosine."""
    itself = np.arange(len(vectors), dtype=np.int32)[:, None]
    return np.asarray(nearest_rows(vectors, vectors, count=NEAR, left_out=itself).rows)


def held_out(near: NDArray[np.integer], baskets: Sequences) -> float:
    """Of the items `near` [v, 10] to those of a basket, the share in it: the mean over its items, then over baskets of
    two items or more."""
    shares = []
    for start, end in zip(baskets.offsets[:-1], baskets.offsets[1:], strict=True):
        basket = np.unique(baskets.ids[start:end])
        if len(basket) > 1:
            shares.append(np.isin(near[basket], basket).mean())
    return float(np.mean(shares))


def by_popularity(counts: NDArray[np.integer]) -> NDArray[np.integer]:
    """For each item the 10 others that occur most often [v, 10]."""
    first = np.argsort(-counts, kind="stable")[: NEAR + 1]
    return np.array([first[first != item][:NEAR] for item in range(len(counts))])


def chance(size: int, baskets: Sequences) -> float:
    """What `held_out` is in the mean of items drawn at random."""
    sizes = [len(np.unique(baskets.ids[start:end])) for start, end in zip(*_bounds(baskets), strict=True)]
    return float(np.mean([(count - 1) / (size - 1) for count in sizes if count > 1]))


def _bounds(baskets: Sequences) -> tuple[np.ndarray, np.ndarray]:
    return baskets.offsets[:-1], baskets.offsets[1:]


def alike(near: NDArray[np.integer], properties: NDArray[np.bool_], counts: NDArray[np.integer]) -> tuple[float, float]:
    """The mean Jaccard index of properties [v, p] of items to train on and their nearest, and of any two items."""
    common = (properties.astype(np.float32) @ properties.T.astype(np.float32)).astype(np.float64)
    sizes = properties.sum(axis=1)
    either = sizes[:, None] + sizes - common
    index = np.divide(common, either, out=np.zeros_like(common), where=either > 0)
    pairs = len(index) * (len(index) - 1)
    return float(np.take_along_axis(index, near, axis=1)[counts > 0].mean()), (index.sum() - np.trace(index)) / pairs


def properties_of(task: WordVectorLearning, table: str, column: str) -> NDArray[np.bool_]:
    """Which properties [v, p] a table, with "|" between them, gives the items of a run."""
    data = task.data
    assert isinstance(data, BasketsConfig)
    titles = {}
    if data.title_source:
        titles = read_titles(data.title_source, item_column=data.item_column, title_column=data.title_column)
    found: dict[str, list[str]] = {}
    options = {"item_column": data.item_column, "--column": column}
    for each in open_tables(table, option="--properties"):
        rows = read_rows(each.lines, kind=each.kind, place=each.place, columns=options)
        for _, (item, listed) in filled_rows(rows, place=each.place, remedy="give it an item"):
            found[titles.get(item, item)] = listed.split("|")
    numbers = {name: at for at, name in enumerate(sorted({name for names in found.values() for name in names}))}
    has = np.zeros((len(task.words), len(numbers)), bool)
    for row, item in enumerate(task.words):
        has[row, [numbers[name] for name in found.get(item, [])]] = True
    return has


def gensim_vectors(task: WordVectorLearning, epochs: int, seed: int) -> NDArray[np.float32]:
    """What gensim makes of the same baskets [v, d]; zeros for items that are in none to train on."""
    from gensim.models import Word2Vec

    assert task.texts is not None
    baskets, section, draw = task.texts.sentences["train"], task.section, random.Random(seed)

    class Shuffled:
        def __iter__(self) -> Iterator[list[str]]:
            for start, end in zip(*_bounds(baskets), strict=True):
                items = [str(item) for item in baskets.ids[start:end]]
                draw.shuffle(items)
                yield items

    model = Word2Vec(
        Shuffled(),
        vector_size=task.model.features,
        sg=int(section.algorithm == "skipgram"),
        window=section.window,
        shrink_windows=section.shrink_windows,
        negative=section.negatives,
        sample=section.subsample,
        min_count=1,
        workers=1,
        epochs=epochs,
        seed=seed,
    )
    table = np.zeros((len(task.words), task.model.features), np.float32)
    for item in model.wv.index_to_key:
        table[int(item)] = model.wv[item]
    return table


def report(task: WordVectorLearning, run: Run, baskets: Sequences, args: argparse.Namespace) -> None:
    """A line for each kind of neighbours, and one for none."""
    counts = np.array(task.counts)
    kinds = {"jaxseq": neighbours(task.vectors(run.variables).vectors)}
    if args.gensim:
        kinds["gensim"] = neighbours(gensim_vectors(task, args.gensim, run.experiment.train.seed))
    kinds["popularity"] = by_popularity(counts)
    has = properties_of(task, args.properties, args.column) if args.properties else None
    for name, near in kinds.items():
        line = f"{name}: held out {held_out(near, baskets):.1%}"
        print(line if has is None else f"{line}, alike {alike(near, has, counts)[0]:.3f}")
    line = f"at random: held out {chance(len(counts), baskets):.1%}"
    print(line if has is None else f"{line}, alike {alike(kinds['jaxseq'], has, counts)[1]:.3f}")


def main() -> None:
    """Reads a run and its baskets, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--properties", default="", help="a table of the items")
    parser.add_argument("--column", default="genres", help='its column that lists properties, with "|" between them')
    parser.add_argument("--gensim", type=int, default=0, metavar="EPOCHS")
    args = parser.parse_args()
    run = load_run(args.run)
    task = WordVectorLearning.create(run.experiment, Workspace(artifacts=run.task.artifacts()))
    assert task.texts is not None
    report(task, run, task.texts.sentences["test"], args)


if __name__ == "__main__":
    main()
