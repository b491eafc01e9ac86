"""The script of docs/exporting.md in a process with JAX and NumPy, without this package and what it is made of."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pages import blocks, read_page

SCRIPT, EXAMPLE, READING = blocks(read_page("exporting.md"))

_WITHOUT = ("flax", "optax", "orbax", "jaxseq", "safetensors", "torch", "keras")
_BLOCKED = """
import runpy, sys
sys.modules |= dict.fromkeys({without!r})
names = runpy.run_path({script!r})
import numpy as np
assert not any(name.split(".")[0] in {without!r} for name in sys.modules if sys.modules[name])
carry = {{"carry." + name: part for name, part in names["carry"].items()}}
np.savez({output!r}, logits=names["logits"], **carry)
"""


def run_script(exported: Path, scratch: Path) -> dict[str, Any]:
    """The last logits of the script, and its carry as carry.NAME."""
    script, output = scratch / "script.py", scratch / "output.npz"
    script.write_text(SCRIPT, encoding="utf-8")
    program = _BLOCKED.format(without=_WITHOUT, script=str(script), output=str(output))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(exported)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with np.load(output) as found:
        return dict(found)
