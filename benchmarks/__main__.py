"""`python -m benchmarks`: see `benchmarks.run`."""

import runpy

runpy.run_module("benchmarks.run", run_name="__main__")
