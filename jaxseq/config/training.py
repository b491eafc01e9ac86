"""How a run goes: how long, how often, on what."""

from dataclasses import dataclass
from typing import Annotated, Literal

from jaxseq.config.fields import END, FIXED, FREE, Bounds, Text, check_fields, refuse
from jaxseq.config.limits import Count, CountOrZero


@dataclass(frozen=True)
class TrainConfig:
    """How long, how often, on what, and what to do when something goes wrong."""

    epochs: Annotated[CountOrZero, END] = 1
    """Passes over the training split; ignored where `steps` is given."""
    steps: Annotated[CountOrZero, END] = 0
    """Batches to train on; 0 counts by `epochs`."""
    seed: Annotated[int, Bounds(0, 2**32 - 1), FIXED] = 0
    """Seed of initialisation, shuffling, dropout and samples."""
    log_every: Annotated[CountOrZero, FREE] = 50
    """Steps between rows of metrics.csv; 0 for once an epoch."""
    evaluate_every: Annotated[CountOrZero, FREE] = 0
    """Steps between evaluations on the validation split; 0 for once an epoch."""
    evaluate_batches: Annotated[CountOrZero, FREE] = 0
    """Batches in such an evaluation; 0 for the whole split. The last evaluation is always of the whole split."""
    checkpoint_every: Annotated[CountOrZero, FREE] = 0
    """Steps between checkpoints; 0 for once an epoch."""
    keep: Annotated[Count, FREE] = 3
    """Newest checkpoints kept, beside the best one."""
    steps_per_dispatch: Annotated[Count, FREE] = 10
    """Steps run by one call of the compiled function."""
    devices: Annotated[int, Bounds(0, 1024), FIXED] = 0
    """Devices that share a batch, of each process; 0 takes all. On CPU each core is one, on a GPU machine each GPU."""
    model_devices: Annotated[int, Bounds(1, 1024), FIXED] = 1
    """Of these devices, so many share the parameters and the optimizer's state of one copy of the model."""
    processes: Annotated[int, Bounds(1, 65_536), FIXED] = 1
    """Processes that train together, each started with this command and reading its own rows of every batch."""
    process: Annotated[int, Bounds(-1, 65_535), FREE] = -1
    """Which of them this one is, from 0 on; -1 asks the cluster (Slurm, a TPU pod, Kubernetes)."""
    coordinator: Annotated[str, Text(300), FREE] = ""
    """HOST:PORT of process 0, at which the others find it; empty asks the cluster."""
    process_timeout: Annotated[int, Bounds(10, 86_400), FREE] = 120
    """Seconds that processes wait for one that does not come, or is not heard of any more."""
    allocator: Annotated[Literal["tuned", "default"], FREE] = "tuned"
    """CPU: keep freed memory in the process instead of handing it back to the system after every step."""
    compute_dtype: Annotated[Literal["float32", "bfloat16"], FIXED] = "float32"
    """Type of activations; parameters, optimizer state and loss stay float32."""
    metric: Annotated[str, Text(100), FIXED] = ""
    """Validation metric that selects the best checkpoint, and that `patience` waits for; by default the loss."""
    patience: Annotated[CountOrZero, FREE] = 0
    """Stop after this many evaluations without a better value of that metric; 0 never does."""
    max_nonfinite: Annotated[Count, FREE] = 10
    """Steps in a row with a non-finite loss or gradient that are skipped before the run goes back to its last good
    checkpoint."""
    max_rollbacks: Annotated[int, Bounds(0, 100), FREE] = 3
    """Times a run goes back, each time with half the learning rate, before it gives up."""
    debug_nonfinite: Annotated[bool, FREE] = False
    """Look for the first non-finite loss or gradient and name the operation that made it: goes on from the run's newest
    checkpoint, if there is a run, and writes nothing."""

    def __post_init__(self) -> None:
        check_fields(self, "train")
        self._check_processes()
        if self.epochs == self.steps == 0:
            raise refuse("train.epochs", 0, "give train.epochs or train.steps")

    def _check_processes(self) -> None:
        if self.devices and self.devices % self.model_devices:
            remedy = f"choose a divisor of train.devices, {self.devices}"
            raise refuse("train.model_devices", self.model_devices, remedy)
        if self.process >= self.processes:
            raise refuse("train.process", self.process, f"give one from 0 to {self.processes - 1} (train.processes)")
        if self.processes == 1:
            if self.coordinator:
                raise refuse("train.coordinator", self.coordinator, "give train.processes too")
        elif bool(self.coordinator) != (self.process >= 0):
            given, other = ("coordinator", "process") if self.coordinator else ("process", "coordinator")
            raise refuse(f"train.{given}", getattr(self, given), f"give train.{other} too, or neither in a cluster")
        host, colon, port = self.coordinator.rpartition(":")
        if self.coordinator and not (host and colon and port.isdecimal() and 0 < int(port) < 65_536):
            raise refuse("train.coordinator", self.coordinator, "give a host and a port, as 10.0.0.1:12345")
