"""A character language model on Python's own reference manual: the default, no download.

    python3 train.py

8 epochs on 465,000 characters took 1 min 16 s on 2 cores: validation 1.8926 bits per character, loss 1.3119.
"""

from jaxseq.config import ExperimentConfig

config = ExperimentConfig()
