"""Small captioned pictures, of which every caption is known, and captioners so small that they are quickly compiled."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxseq.config import (
    AdamConfig,
    CaptionedConfig,
    CaptionerConfig,
    CaptioningConfig,
    CaptionsConfig,
    DigitScenesConfig,
    ExperimentConfig,
    TrainConfig,
)
from jaxseq.tasks import Captioning, Workspace

SIDE = 8
COLOURS = {"red": (220, 30, 20), "green": (40, 200, 60), "blue": (30, 40, 230), "yellow": (230, 220, 40)}
KOREAN = {"red": "빨간", "green": "초록", "blue": "파란", "yellow": "노란"}
PLACES = {"above": (0, "위"), "below": (SIDE // 2, "아래")}
MODEL = CaptionerConfig(filters=(6,), poolings=1, features=12, embedding=6, cell="gru")


def square(colour: str, place: str, *, seed: int) -> np.ndarray:
    """A square of about this colour somewhere in one half of a white picture [8, 8, 3]."""
    draw = np.random.default_rng(seed)
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    top, left = PLACES[place][0] + draw.integers(0, 2), draw.integers(0, SIDE - 3)
    picture[top : top + 3, left : left + 3] = np.clip(np.array(COLOURS[colour]) + draw.integers(-15, 16, 3), 0, 255)
    return picture


def squares(count: int, *, seed: int = 0) -> list[tuple[str, np.ndarray, str, str]]:
    """Names, pictures, and what they are called in English and Korean."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        colour, place = str(draw.choice(list(COLOURS))), str(draw.choice(list(PLACES)))
        english, korean = f"a {colour} square {place}", f"{PLACES[place][1]} {KOREAN[colour]} 네모"
        found.append((f"{number:03}.png", square(colour, place, seed=1000 * seed + number), english, korean))
    return found


def write_squares(folder: Path, count: int, *, seed: int = 0) -> Path:
    """Such pictures in a folder with their table."""
    folder.mkdir(exist_ok=True)
    lines = ["image\tenglish\tkorean"]
    for name, picture, english, korean in squares(count, seed=seed):
        Image.fromarray(picture).save(folder / name)
        lines.append(f"{name}\t{english}\t{korean}")
    (folder / "captions.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def captions_data(folder: Path, **fields: Any) -> CaptionsConfig:
    """Both languages of a folder of squares."""
    options = {"batch_size": 8, "lengths": 1, "split": (0.6, 0.2, 0.2), "languages": ("english", "korean")}
    return CaptionsConfig(source=str(folder), **{**options, **fields})


def scenes_data(folder: Path, **fields: Any) -> DigitScenesConfig:
    """Scenes of the digits in a folder that `small_digits.write_digits` has written."""
    sizes = {"examples": 24, "held_out": 9, "size": (32, 32), "batch_size": 8, "lengths": 1}
    return DigitScenesConfig(source=str(folder), **{**sizes, **fields})


def experiment_of(
    data: CaptionedConfig, *, model: Any = MODEL, task: dict[str, Any] | None = None, **train: Any
) -> ExperimentConfig:
    """A beam of two, captions of up to eight tokens."""
    section = CaptioningConfig(**{"beam": 2, "longest": 8, "examples": 2, **(task or {})})
    optimizer = AdamConfig(learning_rate=1e-2, schedule="cosine")
    return ExperimentConfig(
        name="small",
        task=section,
        data=data,
        model=model,
        optimizer=optimizer,
        train=TrainConfig(**{"steps": 20, **train}),
    )


def made(experiment: ExperimentConfig, **workspace: Any) -> Captioning:
    """Its task, with data."""
    return Captioning.create(experiment, Workspace(**workspace))


def random_variables(task: Captioning, *, scale: float = 0.5) -> dict[str, Any]:
    """Drawn so that all counts, and that pictures are captioned by this and that."""
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    draw = np.random.default_rng(4)
    return jax.tree.map(lambda leaf: jnp.asarray(scale * draw.normal(size=leaf.shape), jnp.float32), shapes)


def artifacts_for(task: Captioning, **changes: Any) -> dict[str, bytes]:
    """Its artifacts, with other fields of pictures.json."""
    pictures = {**json.loads(task.artifacts()["pictures.json"]), **changes}
    return {**task.artifacts(), "pictures.json": json.dumps(pictures).encode()}
