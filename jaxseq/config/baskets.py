"""Baskets as data: items that were taken together, from tables."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxseq.config.fields import FIXED, FREE, Bounds, Text, check_fields, refuse
from jaxseq.config.kinds import register
from jaxseq.config.limits import Count, Length
from jaxseq.config.splits import SplitsConfig

_NUMBER = Bounds(-1e300, 1e300)


@register("data")
@dataclass(frozen=True)
class BasketsConfig(SplitsConfig):
    """Which baskets (orders, sessions, playlists), of which items, and how these become batches.

    A row of the table is one item of a basket, where data.basket_column is given, or else a basket with a list of its
    items. Items are texts, told apart to the letter. Shares of data.split are shares of the baskets."""

    kind: ClassVar[str] = "baskets"

    source: Annotated[str, Text(4096, file=True), FREE] = ""
    """A table (.csv, .tsv, .jsonl, or .txt with tabs; compressed or not), a glob for several, or tables of an archive,
    as "a.zip/*/ratings.csv"."""
    encoding: Annotated[str, Text(100), FREE] = "utf-8"
    """Encoding of the files."""
    basket_column: Annotated[str, Text(1000), FREE] = ""
    """Column or key that says which basket a row belongs to; rows of a basket may be anywhere. "" where each row is a
    basket."""
    item_column: Annotated[str, Text(1000), FREE] = "item"
    """Column or key that holds the item; or, where each row is a basket, its items: a list of JSON, or text."""
    separator: Annotated[str, Text(100), FREE] = ""
    """What stands between items in such a text."""
    order_column: Annotated[str, Text(1000), FREE] = ""
    """Column or key of numbers, as of times, that the items of a basket are sorted by, and baskets by their first; ""
    leaves the order of the file."""
    value_column: Annotated[str, Text(1000), FREE] = ""
    """Column or key of numbers, as of ratings, by which rows are left out; "" reads all."""
    least_value: Annotated[float, _NUMBER, FIXED] = 0.0
    """Rows with a lower number there are left out."""
    title_source: Annotated[str, Text(4096, file=True), FREE] = ""
    """A table with the titles of items (data.item_column, data.title_column), which stand for these from then on."""
    title_column: Annotated[str, Text(1000), FREE] = "title"
    """Its column or key that holds the title."""
    min_count: Annotated[Count, FIXED] = 1
    """Items that occur fewer times are left out."""
    ordered: Annotated[bool, FIXED] = False
    """The order of items counts. Without it they are put into another order in each epoch, so that all items of a
    basket come to lie near each other (Barkan and Koenigstein 2016)."""
    length: Annotated[Length, FIXED] = 128
    """Items in a row of a batch, of several baskets or of a part of one."""
    batch_size: Annotated[Length, FIXED] = 16
    """Rows in a batch."""
    shuffle: Annotated[bool, FIXED] = True
    """Draw the rows of an epoch in a random order."""

    def __post_init__(self) -> None:
        check_fields(self, "data")
        self.require_shares()
        if not self.item_column:
            raise refuse("data.item_column", "", "name the column that holds the items")
        if self.title_source and self.title_column in ("", self.item_column):
            raise refuse("data.title_column", self.title_column, "name the column that holds the titles")
        self._require_shape()

    def _require_shape(self) -> None:
        """Refuses what belongs to rows of the other shape, and one column for two things."""
        columns = ("basket_column", "order_column", "value_column")
        for name in columns:
            column = getattr(self, name)
            if column and column == self.item_column:
                raise refuse(f"data.{name}", column, "that column holds the items, name another one")
            if column and not self.basket_column:
                raise refuse(f"data.{name}", column, "each row is a basket, give data.basket_column or leave it out")
        if self.separator and self.basket_column:
            raise refuse("data.separator", self.separator, "each row is one item of data.basket_column, leave it out")
