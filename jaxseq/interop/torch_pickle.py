"""The pickle in a file of PyTorch's, taken for a list of instructions and not run: what it builds are plain values.

Unpickling calls whatever a file names, so a file of weights can run any program. Here the instructions are read with
`pickletools` (https://docs.python.org/3/library/pickletools.html), and only those that `torch.save` needs for a
state_dict are followed. What can be called is in one table, and stands for a value of this module.
"""

import pickletools
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxseq.errors import InputError
from jaxseq.reading import shown

LARGEST_PICKLE = 2**26
"""Bytes of the largest list of instructions that is read: a state_dict takes about 200 for a tensor."""

_LONGEST_NAME = 100
"""Characters of a name that are shown."""


class StorageType(NamedTuple):
    """What torch.FloatStorage and the like stand for: the numbers in a storage, or bytes of any type."""

    dtype: str | None


class DType(NamedTuple):
    """What torch.float32 and the like stand for."""

    name: str


class Storage(NamedTuple):
    """Numbers in memory, which tensors look into."""

    key: str
    """Of the member of the archive that holds them."""
    dtype: str | None
    size: int
    """In numbers."""


class Tensor(NamedTuple):
    """A view of a storage: where it begins, how many steps each axis has and how long they are, in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class _Call:
    """What may be called: with which arguments it makes which value."""

    name: str
    make: Callable[..., Any]


class _Mark:
    """Where on the stack the parts of a value begin."""


_STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}
_FLOATS_OF_8_BITS = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")
_DTYPES = (*_STORAGES.values(), "uint16", "uint32", "uint64", *_FLOATS_OF_8_BITS)


class _Unusable(Exception):
    """The instructions make no sense."""


def _numbers(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple) or not all(type(value) is int and 0 <= value < 2**63 for value in values):
        raise _Unusable("a tensor has a shape that is none")
    return values


def _tensor(storage: object, offset: object, shape: object, strides: object, *rest: object) -> Tensor:
    """torch._utils._rebuild_tensor_v2: rest are requires_grad, hooks and what numbers stand for; none of a value."""
    if not isinstance(storage, Storage) or storage.dtype is None:
        raise _Unusable("a tensor has no storage")
    return _view(storage, offset, shape, strides, storage.dtype, rest[2:])


def _tensor_of_type(storage: object, offset: object, shape: object, strides: object, *rest: object) -> Tensor:
    """torch._utils._rebuild_tensor_v3, of types without a storage of their own: the third of the rest is the type."""
    _, _, dtype, *metadata = rest
    if not isinstance(storage, Storage) or not isinstance(dtype, DType):
        raise _Unusable("a tensor has no storage")
    return _view(storage, offset, shape, strides, dtype.name, tuple(metadata))


def _view(
    storage: Storage, offset: object, shape: object, strides: object, dtype: str, metadata: tuple[object, ...]
) -> Tensor:
    (start,), sizes, steps = _numbers((offset,)), _numbers(shape), _numbers(strides)
    if len(sizes) != len(steps):
        raise _Unusable("a tensor has a shape that is none")
    if any(metadata):
        raise _Unusable("a tensor stands for the conjugate or the negative of its numbers: call .resolve_conj() on it")
    return Tensor(storage, start, sizes, steps, dtype)


def _parameter(data: object, *rest: object) -> object:
    """torch._utils._rebuild_parameter: rest are requires_grad and hooks."""
    return data


def _ordered(pairs: Iterable[tuple[str, Any]] = ()) -> dict[str, Any]:
    """collections.OrderedDict, from pairs as Python 2 has it."""
    found: dict[Any, Any] = {}
    for pair in pairs:
        _set(found, *pair)
    return found


def _size(values: Iterable[int] = ()) -> tuple[int, ...]:
    return tuple(values)


_CALLS = {
    ("collections", "OrderedDict"): _ordered,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_of_type,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): _size,
}
_GLOBALS: dict[tuple[str, str], Any] = {
    **{name: _Call(".".join(name), make) for name, make in _CALLS.items()},
    **{("torch", name): StorageType(dtype) for name, dtype in _STORAGES.items()},
    ("torch.storage", "UntypedStorage"): StorageType(None),
    ("torch", "UntypedStorage"): StorageType(None),
    **{("torch", name): DType(name) for name in _DTYPES},
}
"""All that a file may name."""

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = (
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
)
_SENSELESS = "its pickle makes no sense"


def read_pickle(place: str, content: bytes) -> Any:
    """What the instructions build: dicts, lists, tuples, texts, numbers, and `Tensor`s without their numbers.

    Nothing is called but functions of this module, and what is built takes no more than some hundred bytes for each
    one that the instructions have. Values may hold themselves.

    Raises:
        InputError: they name anything else, or make no sense. Nothing of them has been run.
    """
    try:
        with warnings.catch_warnings():  # of escapes that a text of protocol 0 must not have, before it is refused
            warnings.simplefilter("ignore", DeprecationWarning)
            return _Machine(place).run(content)
    except _Unusable as error:
        raise InputError(f"{place} is damaged, or no state_dict ({shown(error)}): save it again") from error
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{place} is damaged, or no state_dict ({_SENSELESS}): fetch it again") from error


class _Machine:
    """Follows instructions, with a stack of values and a memo of those that are needed again."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, content: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                (found,) = self._stack
                return found
            self._step(opcode.name, argument)
        raise _Unusable("it has no end")

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        match name:
            case "PROTO" | "FRAME":
                pass
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "MARK":
                stack.append(_Mark())
            case "TUPLE":
                stack.append(tuple(self._since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._taken(int(name[-1]))))
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "APPEND" | "APPENDS":
                values = self._taken(1) if name == "APPEND" else self._since_mark()
                self._last(list).extend(values)
            case "SETITEM" | "SETITEMS":
                values = self._taken(2) if name == "SETITEM" else self._since_mark()
                found = self._last(dict)
                for key, value in zip(values[::2], values[1::2], strict=True):
                    _set(found, key, value)
            case "GLOBAL":
                stack.append(self._named(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                stack.append(self._named(*self._taken(2)))
            case "REDUCE":
                stack.append(_called(*self._taken(2)))
            case "BUILD":  # the attributes of an OrderedDict, the versions of modules
                stack.pop()
                self._last(dict)
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case _ if name in _LITERALS:
                stack.append(argument)
            case _ if name in _CONSTANTS:
                stack.append(_CONSTANTS[name])
            case _:
                raise _Unusable(f"its pickle has the instruction {name}, which no state_dict needs")

    def _taken(self, count: int) -> list[Any]:
        """The last values, taken from the stack."""
        values = self._stack[-count:]
        if len(values) < count or any(isinstance(value, _Mark) for value in values):
            raise _Unusable(_SENSELESS)
        del self._stack[-count:]
        return values

    def _since_mark(self) -> list[Any]:
        """The values since the last mark, taken from the stack with it."""
        stack = self._stack
        start = len(stack) - 1
        while start >= 0 and not isinstance(stack[start], _Mark):
            start -= 1
        if start < 0:
            raise _Unusable(_SENSELESS)
        values = stack[start + 1 :]
        del stack[start:]
        return values

    def _last(self, kind: type) -> Any:
        if type(self._stack[-1]) is not kind:
            raise _Unusable("its pickle changes what it must not")
        return self._stack[-1]

    def _named(self, module: object, name: object) -> Any:
        if not isinstance(module, str) or not isinstance(name, str):
            raise _Unusable(_SENSELESS)
        if (module, name) not in _GLOBALS:
            full = shown(f"{module}.{name}")
            full = full if len(full) <= _LONGEST_NAME else f"{full[:_LONGEST_NAME]}..."
            raise InputError(
                f"{self._place} would run {full} when it is unpickled: it is not read, for only plain tensors are; if "
                "you trust it, open it with PyTorch and keep the tensors alone: torch.save(model.state_dict(), FILE)"
            )
        return _GLOBALS[module, name]


def _called(function: object, arguments: object) -> Any:
    if not isinstance(function, _Call) or not isinstance(arguments, tuple):
        raise _Unusable("its pickle calls what is no function")
    return function.make(*arguments)


def _set(found: dict[Any, Any], key: object, value: object) -> None:
    """Other keys, as tuples of tuples, can take for ever to hash."""
    if not isinstance(key, str | int | float | bytes | None):
        raise _Unusable("a dict has keys that are neither texts nor numbers")
    found[key] = value


def _storage(identity: object) -> Storage:
    """From ("storage", type, key, device, count)."""
    if not isinstance(identity, tuple) or len(identity) != 5:
        raise _Unusable("its pickle refers to something that is no storage")
    kind, storage, key, _, count = identity
    if kind != "storage" or not isinstance(storage, StorageType) or not isinstance(key, str):
        raise _Unusable("its pickle refers to something that is no storage")
    (count,) = _numbers((count,))
    return Storage(key, storage.dtype, count)
