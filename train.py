"""Train a model: `python3 train.py [configs/NAME.py] [--section.field value ...]`; the same as `jaxseq train`."""

import sys

from jaxseq.commands.main import run

if __name__ == "__main__":
    sys.exit(run("train", program="train.py"))
