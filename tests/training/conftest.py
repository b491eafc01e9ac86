"""What tests of the training loop share."""

import functools

import pytest

from jaxseq.training import loop


@pytest.fixture(scope="module")
def compiled_once():
    """The many runs of a module share what is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "compile_training", functools.cache(loop.compile_training))
        yield
