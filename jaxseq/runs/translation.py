"""What a trained model makes of texts in another language."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

from jaxseq.errors import InputError
from jaxseq.reporting.attention_pictures import attention_picture, is_attention_picture
from jaxseq.runs.drawing import require_place
from jaxseq.runs.prediction import answered, run_that
from jaxseq.signals import Poll, never
from jaxseq.storage.atomic import write_atomic
from jaxseq.tasks.capabilities import Translates, Translation, TranslationOptions


def translate_run(
    run_dir: Path,
    texts: Iterable[str],
    *,
    options: TranslationOptions | None = None,
    checkpoint: Literal["best", "newest"] = "best",
    waiting: Callable[[], AbstractContextManager[Any]] | None = None,
    poll: Poll = never,
) -> Iterator[Translation]:
    """What the model of a run makes of each text, in order.

    Args:
        options: by default those of the run's configuration.
        waiting: of texts that may keep one waiting: entered while they do. What has come is then translated at once.

    Raises:
        InputError: the run cannot be read, its task translates nothing, or `options` do not fit it.
    """
    options = options or TranslationOptions()
    task, variables = run_that(Translates, run_dir, checkpoint=checkpoint)
    return answered(lambda some: task.translate(variables, some, options=options, poll=poll), texts, waiting=waiting)


def require_attention_place(picture: Path) -> None:
    """Refuses a place where something else is than an earlier picture of attention.

    Raises:
        InputError: there is.
    """
    require_place(picture, is_attention_picture, command="translate", option="--attention")


def draw_attention(translation: Translation, picture: Path) -> None:
    """Draws what each token of the best hypothesis looked at, as a PNG at `picture`.

    Raises:
        InputError: there is no hypothesis, its model has no attention, or it cannot be drawn or written.
    """
    require_attention_place(picture)
    if not translation.hypotheses:
        raise InputError(f"{picture} would show nothing, for the text is empty: give one with a word")
    best = translation.hypotheses[0]
    if best.attention is None:
        raise InputError(f"{picture} cannot be drawn, for the model has no attention: leave --attention out")
    png = attention_picture(best.attention, source=translation.source_tokens, target=best.tokens, name=picture.name)
    write_atomic(picture, png)
