"""What an autoencoder makes of pictures, however they are put in batches: codes, and pictures again."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from jaxseq.models import Autoencoder
from jaxseq.ops.objective import EVALUATION, LossContext, LossFn, LossOutput
from jaxseq.ops.picture_noise import noisy, noisy_by_content
from jaxseq.ops.reconstruction import pixel_losses
from jaxseq.sharding import REPLICATED, SHARDED, DataParallel
from jaxseq.signals import Poll, never
from jaxseq.tasks.task import Variables

ROWS = 256
"""Pictures of a batch that is not trained on."""
_FEWEST_ROWS = 8
"""Rows that a device is worth taking for."""

Wanted = Literal["inputs", "codes", "reconstructions"]


@dataclass(frozen=True)
class Coder:
    """`model` over pictures of 8 bits, which it reads with noise of this deviation."""

    model: Autoencoder
    noise: float = 0.0

    def loss(self) -> LossFn:
        """Cross-entropy in nats a pixel ("loss") and squared error of pictures, each counted in pictures."""
        return partial(_loss, self)

    def read(self, pictures: Array, context: LossContext = EVALUATION) -> Array:
        """What the encoder is given for pixels [n, h, w, c] uint8: float32 in 0 to 1."""
        if not self.noise:
            return pictures / jnp.float32(255)
        keys = context.rngs("noise")
        if keys is None:
            return noisy_by_content(pictures, self.noise)
        return noisy(pictures / jnp.float32(255), self.noise, keys["noise"])

    def made(self, variables: Variables, pictures: Array, *, wanted: Wanted) -> Array:
        """What is wanted of pictures [n, h, w, c] uint8, float32."""
        made: Any = self.read(pictures)
        if wanted == "codes":
            made = self.model.apply(variables, made, method="encode")
        elif wanted == "reconstructions":
            logits: Any = self.model.apply(variables, made)
            made = jax.nn.sigmoid(logits.astype(jnp.float32))
        return made.astype(jnp.float32)

    def __call__(
        self, variables: Variables, pictures: NDArray[np.uint8], wanted: Wanted, *, poll: Poll = never
    ) -> NDArray[np.float32]:
        """What is wanted of each picture [n, ...], in their order; rows of a batch are shared among the devices that
        JAX has.

        Args:
            poll: called before each batch.
        """
        parallel = DataParallel.sharing(ROWS, fewest=_FEWEST_ROWS)
        variables = parallel.put(variables)
        made = []
        for start in range(0, len(pictures), ROWS):
            poll()
            some = pictures[start : start + ROWS]
            rows = np.concatenate([some, np.zeros((ROWS - len(some), *some.shape[1:]), np.uint8)])
            found = _made(self, variables, parallel.put(rows, SHARDED), wanted=wanted, parallel=parallel)
            made.append(np.asarray(found)[: len(some)])
        return np.concatenate(made)


def _loss(coder: Coder, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
    logits: Any = coder.model.apply(variables, coder.read(batch.pictures, context))
    loss, error = pixel_losses(logits, batch.pictures / jnp.float32(255), batch.valid)
    return LossOutput({"loss": loss, "squared_error": error})


@partial(jax.jit, static_argnums=0, static_argnames=("wanted", "parallel"))
def _made(coder: Coder, variables: Variables, pictures: Array, *, wanted: Wanted, parallel: DataParallel) -> Array:
    make = partial(coder.made, wanted=wanted)
    return parallel.shard(make, in_specs=(REPLICATED, SHARDED), out_specs=SHARDED)(variables, pictures)
