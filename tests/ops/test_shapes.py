"""Signatures say shapes and types, and under tests every call is held to them."""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import AbstractArray, Bool, TypeCheckError

import jaxseq.models
import jaxseq.nn
import jaxseq.ops
from jaxseq.models import Bag
from jaxseq.nn import Dense
from jaxseq.ops import attend, cross_entropy, layer_norm, linear_cross_entropy, pooling
from jaxseq.ops.positions import rotary_factors, rotate
from jaxseq.ops.ring_cache import place
from jaxseq.ops.shapes import Array

X = jnp.ones((2, 3, 4))
IDS = jnp.zeros((2, 3), jnp.int32)
MASK = jnp.ones((2, 3), bool)
HEADS = jnp.ones((2, 3, 2, 4))

WRONG = {
    "a mask of another shape": lambda: cross_entropy(X, IDS, MASK[:, :2]),
    "a mask that is no bool": lambda: cross_entropy(X, IDS, MASK.astype(jnp.float32)),
    "targets that are no integers": lambda: cross_entropy(X, IDS.astype(jnp.float32)),
    "logits of integers": lambda: cross_entropy(X.astype(jnp.int32), IDS),
    "targets of another length": lambda: linear_cross_entropy(X[0], jnp.ones((4, 5)), None, IDS[0, :2]),
    "a kernel of another width": lambda: linear_cross_entropy(X[0], jnp.ones((5, 3)), None, IDS[0]),
    "a scale as long as another axis": lambda: layer_norm(X, jnp.ones(3)),
    "NumPy's arrays too": lambda: layer_norm(np.ones((2, 3)), np.ones(2)),
    "a mask with its axes swapped": lambda: pooling.mean(X, MASK.T),
    "values of another length than keys": lambda: attend(HEADS, HEADS, HEADS[:, :2]),
    "whom to look at, for each head": lambda: attend(HEADS, HEADS, HEADS, visible=jnp.ones((2, 2, 3, 3), bool)),
    "positions of other tokens": lambda: rotate(HEADS, rotary_factors(IDS[:, :2], 4)),
    "a reset of more tokens than there are": lambda: place(2, context=4, reset=MASK),
    "of a layer": lambda: Dense(5).init(jax.random.key(0), IDS),
    "of a model": lambda: Bag(5).init(jax.random.key(0), X[:, :, 0]),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_a_wrong_shape_or_type_is_refused(call):
    with pytest.raises(TypeCheckError):
        call()


def test_rows_may_share_what_has_one_row():
    assert attend(HEADS, HEADS, HEADS, visible=jnp.ones((1, 3, 3), bool)).shape == HEADS.shape
    assert rotate(HEADS, rotary_factors(IDS[:1], 4)).shape == HEADS.shape


# What may be any array, or none at all.
ANYTHING = {
    **dict.fromkeys(
        (f"jaxseq.ops.chunks.over_chunks{what}" for what in ("(init)", "(xs)", " -> ")),
        "what a loop goes over and hands on is its caller's",
    ),
    **dict.fromkeys(
        (
            f"jaxseq.ops.step_products.scan_products{what}"
            for what in ("(step)", "(carry)", "(xs)", "(shared)", "(flags)", " -> ")
        ),
        "what a loop goes over and hands on is its caller's",
    ),
    **dict.fromkeys(
        (f"jaxseq.ops.row_tables.without_gradient{what}" for what in ("(tree)", " -> ")),
        "any parameters, whatever their shapes",
    ),
    "jaxseq.ops.objective.LossOutput.carry": "what a task hands from batch to batch is the task's own",
    "jaxseq.ops.objective.LossOutput.collections": "so are a model's variables",
}


INSIDE = (
    "jaxseq.ops.batch_last.",
    "jaxseq.ops.batch_last_blocks.",
    "jaxseq.ops.batch_last_layers.",
    "jaxseq.ops.batch_last_stack.",
    "jaxseq.ops.loops.",
)
"""What one formulation of `jaxseq.ops.picture_stack` is made of, on maps [d, h, w, n] of a chunk; and loops."""
ARRAYS = (jax.Array, np.ndarray)
CALLS = ("__call__", "step", "decode_step", "loss", "vectors", "mean", "cross_entropy")


def says_nothing(hint: Any, *, nothing: tuple[Any, ...] = (*ARRAYS, Any)) -> bool:
    """Whether `hint` admits an array of whatever shape without saying so ("..." would)."""
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return False
    # type[Any] is a type of numbers.
    parts = () if typing.get_origin(hint) is type else typing.get_args(hint)
    return hint in nothing or any(says_nothing(part, nothing=nothing) for part in parts)


def unsaid(name: str, function: Any, **options: Any) -> Iterator[str]:
    """The parameters of a function, and its return, that might be arrays and have no shape."""
    function = inspect.unwrap(function)
    hints = typing.get_type_hints(function)
    for parameter in inspect.signature(function).parameters:
        if parameter not in ("self", "cls") and says_nothing(hints.get(parameter, Any), **options):
            yield f"{name}({parameter})"
    if says_nothing(hints.get("return", Any), **options):
        yield f"{name} -> "


def unsaid_in_class(name: str, kind: type) -> Iterator[str]:
    """The same for the fields and the public methods of a class."""
    if hasattr(kind, "_fields") or hasattr(kind, "__dataclass_fields__"):
        yield from (f"{name}.{field}" for field, hint in inspect.get_annotations(kind).items() if says_nothing(hint))
    for method, function in vars(kind).items():
        if inspect.isfunction(function) and not method.startswith("_"):
            yield from unsaid(f"{name}.{method}", function)


def public(package: Any) -> Iterator[tuple[str, Any]]:
    """What the modules of a package define."""
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if not name.startswith("_") and getattr(value, "__module__", None) == module.name and callable(value):
                yield f"{module.name}.{name}", value


def test_every_public_function_of_ops_says_its_shapes():
    found = [
        where
        for name, value in public(jaxseq.ops)
        if not name.startswith(INSIDE)
        for where in (unsaid_in_class if inspect.isclass(value) else unsaid)(name, value)
    ]
    assert sorted(found) == sorted(ANYTHING)


@pytest.mark.parametrize("package", [jaxseq.nn, jaxseq.models], ids=["nn", "models"])
def test_what_a_module_is_called_with_says_its_shapes(package):
    """What is Any is a carry, the inside of weights, or any input: there it is a body that says what."""
    classes = [(name, kind) for name, kind in public(package) if inspect.isclass(kind)]
    own = [(f"{name}.{call}", vars(kind).get(call)) for name, kind in classes for call in CALLS]
    calls = [(name, call) for name, call in own if callable(call)]
    assert calls
    assert not [where for name, call in calls for where in unsaid(name, call, nothing=ARRAYS)]


def test_what_says_no_shape_is_found():
    def silent(x: Array, y: Any, z, *, mask: Bool[Array, "b t"] | None, pair: tuple[jax.Array, ...]) -> np.ndarray:
        return x

    found = ["silent(x)", "silent(y)", "silent(z)", "silent(pair)", "silent -> "]
    assert list(unsaid("silent", silent)) == found
    assert list(unsaid("silent", silent, nothing=ARRAYS)) == [found[0], *found[3:]]
