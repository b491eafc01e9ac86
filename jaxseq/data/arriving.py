"""What a source gives that may keep one waiting, as soon as it is there."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from queue import Empty, Queue
from typing import Any, NamedTuple, TypeVar

Item = TypeVar("Item")


class _End(NamedTuple):
    """What comes after the last item."""

    error: BaseException | None
    """What kept more from coming; None where there are no more."""


def as_they_come(
    items: Iterable[Item], *, most: int, waiting: Callable[[], AbstractContextManager[Any]] = nullcontext
) -> Iterator[list[Item]]:
    """The items in order, in lists of those that are there: only where there is none, the next one is waited for.

    A thread reads them, up to `most` ahead. What it raises is raised when all before it has been given.

    Args:
        most: items of a list.
        waiting: entered around waiting for an item.
    """
    there: Queue[Item | _End] = Queue(most)
    threading.Thread(target=_read, args=(items, there), name="reading", daemon=True).start()
    end = None
    while end is None:
        with waiting():
            first = there.get()
        found: list[Item] = []
        for item in _at_hand(first, there, most):
            if isinstance(item, _End):
                end = item
            else:
                found.append(item)
        if found:
            yield found
    if end.error is not None:
        raise end.error


def _at_hand(first: Item, there: Queue[Item], most: int) -> Iterator[Item]:
    yield first
    with suppress(Empty):
        for _ in range(most - 1):
            yield there.get_nowait()


def _read(items: Iterable[Any], there: Queue[Any]) -> None:
    try:
        for item in items:
            there.put(item)
    except BaseException as error:
        there.put(_End(error))
    else:
        there.put(_End(None))
