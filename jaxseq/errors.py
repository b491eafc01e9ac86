"""What goes wrong because of what it was given, as one line that names the value, the place and the remedy.

Commands catch `InputError`, print its message and leave with exit code 2. Everything else is a bug and keeps
its traceback.
"""


class InputError(ValueError):
    """Something a person gave cannot be used; the message says what, where, and what to do."""


class UnknownSymbolError(InputError):
    """Text holds a symbol that the vocabulary lacks."""


class CheckpointError(InputError):
    """A checkpoint is missing, damaged, or belongs to something else."""


class ConfigError(InputError):
    """A configuration holds an impossible value, or differs from the one a run was made with."""


class NonFiniteError(InputError):
    """A model gives numbers that are not finite, because its parameters are not, or nearly so."""
