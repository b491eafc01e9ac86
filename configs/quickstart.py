"""A character language model on Python's own reference manual: the default, no download.

    python3 train.py

8 epochs on 465,000 characters in 2 min 19 s on 2 cores that had other work too: validation 1.9785 bits per character.
"""

from jaxseq.config import ExperimentConfig

config = ExperimentConfig()
