"""`python3 -m jaxseq`: the same as the command `jaxseq`."""

import sys

from jaxseq.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
