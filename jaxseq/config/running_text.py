"""What every kind of running text says of itself: which text, how it becomes token ids, and how it is split."""

from dataclasses import dataclass
from typing import Annotated

from jaxseq.config.fields import FIXED, FREE, Text
from jaxseq.config.limits import Length
from jaxseq.config.splits import SplitsConfig
from jaxseq.config.texts import TextConfig


@dataclass(frozen=True)
class RunningTextConfig(TextConfig, SplitsConfig):
    """Which text, and how it becomes token ids.

    With data.min_count 1 and no data.max_words a symbol that is not known is an error."""

    source: Annotated[str, Text(4096, file=True), FREE] = "python-manual"
    """A file (.gz, .bz2, .xz and .zip are read as they are), a named pipe, a glob, a folder, a tar archive or some of
    its members ("a.tar.xz/*/train/*.txt"), "-" for standard input, "python-manual", or a text data set of
    tensorflow-datasets as "tfds:NAME[/config][:version][:split][#feature]"."""
    length: Annotated[Length, FIXED] = 50
    """Tokens in a window."""
    batch_size: Annotated[Length, FIXED] = 32
    """Windows in a batch, or rows the corpus is cut into."""
    shuffle: Annotated[bool, FIXED] = True
    """Draw the windows of an epoch in a random order (layout "windows")."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_shares()
