"""Results as text for a terminal, and as the page docs/benchmarks.md."""

import json
from pathlib import Path
from typing import Any

from benchmarks.peers import ROOT
from benchmarks.summary import Line, figure, is_rate, lines, show_seconds, unit, verdicts
from benchmarks.works import WORKS

RESULTS = ROOT / "benchmarks" / "results"

_PREFACE = """# Benchmarks

The same work in jaxseq and in its peers, measured in turns: a round times every contestant once, one at a time, each
in a process of its own that has built and warmed up its work before. A figure is the median over the rounds; "ours /
this" is the median of the round-by-round ratios of jaxseq's time to this contestant's, so below 1 jaxseq is faster.
"+m" runs with an allocator that keeps freed memory (jaxseq's default; for the others two environment variables). A
training step is forward, backward and Adam (where a work is of words, SGD with clipped gradients) in float32, from
batches in host memory; on a GPU matmuls may use TF32 everywhere. A prediction begins with the token ids of texts of
mixed length in host memory and ends with their probabilities there, in the texts' order. A step of an encoder-decoder
is one of a lap through the first ten batches of its loader, which have several shapes, with the dropout and the label
smoothing of its configuration. A translation begins with the token ids of sentences and ends with those of their best
hypotheses, in order, by the same weights everywhere. A step of an autoencoder has the optimizer of its configuration;
a detection goes from the bytes of a batch of pictures in host memory to their logits there. Word vectors are trained by
whole epochs, and the words are all of the text, those that are rare or left out in an epoch too; the vocabulary is
there before. "jaxseq-2-devices" shares a batch between two devices, "jaxseq" has one, whose operations use both cores;
gensim has two workers. How good the vectors are: `python -m benchmarks.vector_quality`. "of matmul" is the FLOP of a
step or of a text, as [works.py](../benchmarks/works.py) counts them, over its time, as a share of what one large
matmul reaches on the same machine in the same rounds. Memory is the peak of the process, compilation included; on a
GPU that of the device.

How each contestant is written: [benchmarks/workers](../benchmarks/workers). How to run it: `python -m benchmarks
--help`. This page is written by `python -m benchmarks --table docs/benchmarks.md` from the files in
[benchmarks/results](../benchmarks/results).
"""


def _megabytes(line: Line, device: str) -> str:
    return f"{(line.device_peak_bytes if device == 'gpu' else line.peak_bytes) / 1e6:,.0f}"


def _cells(name: str, line: Line, device: str) -> list[str]:
    middle, low, high = (show_seconds(name, s) for s in (line.seconds.median, line.seconds.low, line.seconds.high))
    return [
        middle,
        f"{low} to {high}" if not is_rate(name) else f"{high} to {low}",
        figure(line.ratio.median) if line.ratio else "",
        f"{line.matmul_share:.0%}" if line.matmul_share is not None else "",
        _megabytes(line, device),
    ]


def as_text(name: str, result: dict[str, Any], device: str) -> str:
    """The table of one work for a terminal."""
    heads = ["", unit(name), "quartiles", "ours / this", "of matmul", "peak MB"]
    rows = [heads, *([line.label, *_cells(name, line, device)] for line in lines(result))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = ["<", *">" * (len(heads) - 1)]
    table = ["  ".join(f"{c:{s}{w}}" for c, s, w in zip(row, sides, widths, strict=True)) for row in rows]
    flop = f", {figure(result['flop'] / 1e9)} GFLOP" if result["flop"] else ""
    failed = [f"{label} failed" for label in result["failed"]]
    return "\n".join([f"{name}: {WORKS[name].title}{flop}", *table, *verdicts(name, result, device), *failed])


def newest(folder: Path = RESULTS) -> dict[tuple[str, str], dict[str, Any]]:
    """{(work, device): result} of the JSON files in `folder`, the newest where several have one; each with the
    "machine" and "file" it comes from."""
    files = [(json.loads(path.read_text(encoding="utf-8")), path.name) for path in folder.glob("*.json")]
    found = {}
    for tree, file in sorted(files, key=lambda pair: (pair[0]["machine"]["date"], pair[1])):
        for name, result in tree["works"].items():
            found[name, tree["device"]] = {**result, "machine": tree["machine"], "file": file}
    return found


def _section(name: str, by_device: dict[str, dict[str, Any]]) -> list[str]:
    heads = [""]
    for device in by_device:
        heads += [f"{device.upper()}: {unit(name)}", "quartiles", "ours / this", "of matmul", "peak MB"]
    tables = {device: {line.label: line for line in lines(result)} for device, result in by_device.items()}
    labels = dict.fromkeys(label for table in tables.values() for label in table)
    rows = []
    for label in labels:
        row = [label]
        for device, table in tables.items():
            row += _cells(name, table[label], device) if label in table else [""] * 5
        rows.append(row)
    drawn = [f"| {' | '.join(row)} |" for row in (heads, ["---", *["---:"] * (len(heads) - 1)], *rows)]
    flop = next(iter(by_device.values()))["flop"]
    remarks = [
        f"{device.upper()}: {line}." for device, result in by_device.items() for line in verdicts(name, result, device)
    ]
    title = WORKS[name].title + (f", {figure(flop / 1e9)} GFLOP" if flop else "")
    return [f"## {name.upper()}: {title}", "", *drawn, "", "  \n".join(remarks), ""]


def _machines(found: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
    described = {}
    for (_, device), result in found.items():
        machine = result["machine"]
        versions: dict[str, str] = {}
        for one in result["contestants"].values():
            versions.update(one["versions"])
        shown = [f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB", machine["gpu"]]
        shown += [machine["system"], f"Python {machine['python']}", f"texts {machine['texts']}"]
        _, all_versions = described.setdefault(result["file"], ((device, machine["date"], shown), {}))
        all_versions.update(versions)
    return [
        f"- {device.upper()}, {date} ([{file}](../benchmarks/results/{file})): {', '.join(filter(None, shown))}; "
        + ", ".join(f"{package} {version}" for package, version in sorted(versions.items()))
        for file, ((device, date, shown), versions) in described.items()
    ]


def as_page(found: dict[tuple[str, str], dict[str, Any]]) -> str:
    """docs/benchmarks.md: a table for each work, CPU and GPU side by side."""
    parts = [_PREFACE, *_machines(found), ""]
    for name in WORKS:
        by_device = {device: found[name, device] for device in ("cpu", "gpu") if (name, device) in found}
        if by_device:
            parts += _section(name, by_device)
    return "\n".join(parts).rstrip() + "\n"
