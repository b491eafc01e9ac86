"""Baskets of items: what was taken together, from tables with a row for each item or for each basket."""

import math
import re
from array import array
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from jaxseq.data.examples import Sequences
from jaxseq.data.table_files import Table, open_tables
from jaxseq.data.tables import filled_rows, read_lists, read_rows
from jaxseq.errors import InputError
from jaxseq.reading import shown
from jaxseq.signals import Poll, never

_REPAIR = "repair the line or leave it out"
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_ITEM, _BASKET, _ORDER, _VALUE = (f"--data.{name}-column" for name in ("item", "basket", "order", "value"))


class Baskets(NamedTuple):
    """Baskets, one behind the other."""

    items: tuple[str, ...]
    """The distinct ones, in the order in which they first come up."""
    sequences: Sequences
    """For each basket the places of its items in `items`."""


class EventColumns(NamedTuple):
    """The columns of a table with a row for each item of a basket; "" for none."""

    basket: str
    item: str
    order: str = ""
    """Of numbers that the items of a basket are sorted by."""
    value: str = ""
    """Of numbers below which a row is left out."""


def read_events(
    source: str, columns: EventColumns, *, least: float = 0.0, encoding: str = "utf-8", poll: Poll = never
) -> Baskets:
    """The baskets of tables with a row for each item.

    Rows of a basket may be anywhere. With a column of order its items are sorted by that, and the baskets by their
    first item; what is equal there, and all without such a column, stays in the order of the file.

    Args:
        source: as of `open_tables`.
        least: rows with a lower value are left out.

    Raises:
        InputError: a table cannot be read; a row has no item, no basket, or no number where there must be one (its line
            is named); or no row is left.
    """
    baskets: dict[str, int] = {}
    items: dict[str, int] = {}
    of_basket, of_item, order = array("q"), array("q"), array("d")
    read = 0
    options = {_BASKET: columns.basket, _ITEM: columns.item, _ORDER: columns.order, _VALUE: columns.value}
    options = {option: name for option, name in options.items() if name}
    for table in open_tables(source, encoding=encoding, poll=poll):
        rows = read_rows(table.lines, kind=table.kind, place=table.place, columns=options)
        for line, values in filled_rows(rows, place=table.place, remedy="give it a basket and an item"):
            poll()
            read += 1
            here = f"{table.place}, line {line}"
            row = dict(zip(options, values, strict=True))
            for option, what in ((_BASKET, "basket"), (_ITEM, "item")):
                if not row[option]:
                    raise InputError(f"{here} has no {what} ({shown(options[option])!r} is empty): {_REPAIR}")
            if columns.value and _number(row[_VALUE], here, columns.value) < least:
                continue
            of_basket.append(baskets.setdefault(row[_BASKET], len(baskets)))
            of_item.append(items.setdefault(row[_ITEM], len(items)))
            order.append(_number(row[_ORDER], here, columns.order) if columns.order else 0.0)
    if not of_item:
        least_of = f" with {shown(columns.value)!r} {least:g} or more" if read else ""
        raise InputError(f"{shown(source)} has no row{least_of}: give --data.source a table that has some")
    return _sorted(tuple(items), *map(np.asarray, (of_basket, of_item, order)))


def read_lists_of_items(
    source: str, column: str, *, separator: str = "", encoding: str = "utf-8", poll: Poll = never
) -> Baskets:
    """The baskets of tables with a row for each: a list of JSON, or a text with `separator` between the items.

    Raises:
        InputError: a table cannot be read; a row has no items, or an empty one (its line is named); or there is no row.
    """
    items: dict[str, int] = {}
    of_item, sizes = array("q"), array("q")
    for table in open_tables(source, encoding=encoding, poll=poll):
        for line, basket in _lists(table, column, separator):
            poll()
            here = f"{table.place}, line {line}"
            if not basket:
                raise InputError(f"{here} has no item ({shown(column)!r} is empty): {_REPAIR}")
            if "" in basket:
                raise InputError(f"{here}: item {basket.index('') + 1} of {shown(column)!r} is empty: {_REPAIR}")
            of_item.extend(items.setdefault(item, len(items)) for item in basket)
            sizes.append(len(basket))
    if not sizes:
        raise InputError(f"{shown(source)} has no row: give --data.source a table that has some")
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Baskets(tuple(items), Sequences(np.asarray(of_item).astype(np.int32), offsets))


def read_titles(
    source: str, *, item_column: str, title_column: str, encoding: str = "utf-8", poll: Poll = never
) -> dict[str, str]:
    """What items are called, by what stands for them. A title that several have is followed by that, as "Hamlet [7]".

    Raises:
        InputError: a table cannot be read; a row has no item, no title, or another one than a row before (its line is
            named).
    """
    titles: dict[str, str] = {}
    options = {_ITEM: item_column, "--data.title-column": title_column}
    for table in open_tables(source, option="--data.title-source", encoding=encoding, poll=poll):
        rows = read_rows(table.lines, kind=table.kind, place=table.place, columns=options)
        for line, (item, title) in filled_rows(rows, place=table.place, remedy="give it an item and a title"):
            here = f"{table.place}, line {line}"
            for text, what, column in ((item, "item", item_column), (title, "title", title_column)):
                if not text:
                    raise InputError(f"{here} has no {what} ({shown(column)!r} is empty): {_REPAIR}")
            if titles.setdefault(item, title) != title:
                raise InputError(f"{here} gives the item {shown(item)!r} another title than before: leave one out")
    counts: dict[str, int] = {}
    for title in titles.values():
        counts[title] = counts.get(title, 0) + 1
    return {item: title if counts[title] == 1 else f"{title} [{item}]" for item, title in titles.items()}


def with_titles(baskets: Baskets, titles: Mapping[str, str]) -> Baskets:
    """The same baskets of items that are called by their titles; those without one stay as they are.

    Raises:
        InputError: two items would be called alike.
    """
    names: dict[str, str] = {}
    for item in baskets.items:
        name = titles.get(item, item)
        other = names.setdefault(name, item)
        if other != item:
            raise InputError(
                f"the items {shown(other)!r} and {shown(item)!r} would both be called {shown(name)!r}: "
                "change a title in --data.title-source"
            )
    return baskets._replace(items=tuple(names))


def _lists(table: Table, column: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    rows = read_lists(
        table.lines,
        kind=table.kind,
        place=table.place,
        column=(_ITEM, column),
        separator=("--data.separator", separator),
    )
    return filled_rows(rows, place=table.place, remedy="give it a basket")


def _number(text: str, here: str, column: str) -> float:
    number = float(text) if _NUMBER.fullmatch(text.strip()) else math.nan
    if not math.isfinite(number):
        raise InputError(f"{here}: {shown(column)!r} is {shown(text[:60])!r}, no number: {_REPAIR}")
    return number


def _sorted(items: tuple[str, ...], of_basket: np.ndarray, of_item: np.ndarray, order: np.ndarray) -> Baskets:
    """Baskets of events [n], which are numbered in the order of the file."""
    first = np.full(of_basket.max() + 1, np.inf)
    np.minimum.at(first, of_basket, order)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    ranks = rank[of_basket]
    places = of_item[np.lexsort((order, ranks))]  # which leaves equals in their order
    # Items are numbered anew, by where they first come up now.
    distinct, firsts, inverse = np.unique(places, return_index=True, return_inverse=True)
    by_first = np.argsort(firsts)
    number = np.empty(len(distinct), np.int32)
    number[by_first] = np.arange(len(distinct))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(ranks, minlength=len(first)))]).astype(np.int64)
    named: list[int] = distinct[by_first].tolist()
    return Baskets(tuple(items[at] for at in named), Sequences(number[inverse], offsets))
