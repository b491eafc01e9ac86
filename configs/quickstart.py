"""A character language model on Python's own reference manual: the default, no download.

    python3 train.py

TIME
"""

from jaxseq.config import ExperimentConfig

config = ExperimentConfig()
