"""Sample text: `python3 sample.py runs/NAME [--prompt TEXT ...]`; the same as `jaxseq sample`."""

import sys

from jaxseq.commands.main import run

if __name__ == "__main__":
    sys.exit(run("sample", program="sample.py"))
