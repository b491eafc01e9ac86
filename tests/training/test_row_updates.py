"""Updates of the rows that a batch saw: against updates of whole tables, loops in NumPy, and PyTorch's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from toy_tables import BATCHES, DEPTH, SIZE, close, loss_fn, optimizer_of, steps, table_params

from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import EVALUATION, LossOutput
from jaxseq.training.gradients import loss_gradients, row_gradients
from jaxseq.training.row_updates import tables_of
from jaxseq.training.state import init_state


@pytest.mark.parametrize("options", [{"clip_norm": 0.3}, {"clip_value": 0.05, "schedule": "cosine"}], ids=str)
@pytest.mark.parametrize("kind", ["sgd", "adagrad"])
def test_sgd_and_adagrad_are_what_they_are_with_whole_tables(kind, options):
    # From 0 on Adagrad's first step is the gradient's sign, in which sums that nearly cancel are told by the last bit.
    options = {**options, "initial": 0.1} if kind == "adagrad" else options
    found, tallies = steps(BATCHES, kind, rows=True, **options)
    wanted, wanted_tallies = steps(BATCHES, kind, **options)
    close(found, wanted, 3e-7)
    close(tallies, wanted_tallies)
    start = table_params()
    moved = (found.params["body"]["table"] != start["body"]["table"]).any(1)
    assert 10 < moved.sum() < SIZE  # some rows no batch has


def test_a_batch_changes_the_rows_that_it_has_and_those_of_padding_only_where_they_are_words_too():
    batch = {**BATCHES[0], "ids": np.array([[3, 3, 5], [7, 0, 0], [9, 9, 9], [5, 1, 0]], np.int32)}
    batch["mask"] = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 0]], bool)
    for kind in ("sgd", "adam"):
        found, _ = steps([batch], kind, rows=True)
        changed = (found.params["body"]["table"] != table_params()["body"]["table"]).any(1)
        assert np.flatnonzero(changed).tolist() == [1, 3, 5, 7]


@jax.jit
def gradient_of(params, batch):
    """By parameters, of the mean loss."""
    grads, output = loss_gradients(loss_fn, {"params": params}, None, batch, EVALUATION)
    return jax.tree.map(lambda g: g / output.tallies["loss"].count, grads)


def lazy(batches, rule, *, cap=0):
    """Tables by a plain loop over batches and rows; the gradient at each batch is that of the whole loss."""
    params = jax.tree.map(np.array, table_params())
    names = (("body", "table"), ("embedding",))
    memory = {}
    for t, batch in enumerate(batches, 1):
        grads = jax.device_get(gradient_of(params, batch))
        # Lookups that reach the loss.
        first = np.where(batch["mask"].any(1), batch["ids"][:, 0], -1)
        seen = {names[0]: [*batch["ids"][batch["mask"]], *first], names[1]: np.where(first < 0, -1, batch["context"])}
        for name in (*names, ("kernel",)):
            table, grad = params, grads
            for key in name[:-1]:
                table, grad = table[key], grad[key]
            table, grad = table[name[-1]], grad[name[-1]]
            for i in range(len(table)):
                count = int(np.sum(np.array(seen[name]) == i)) if name in seen else 1
                if count:
                    step = rule(memory.setdefault((name, i), {}), grad[i].astype(np.float64), t)
                    table[i] -= 0.1 * step / (max(1, count / cap) if cap and name in seen else 1)
    return params


EPS = 0.01
"""So large that what nearly cancels, and is only known roughly, moves little."""


def adam(memory, g, t):
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g * g
    return memory["m"] / (1 - 0.9**t) / (np.sqrt(memory["v"] / (1 - 0.999**t)) + EPS)


def rmsprop(memory, g, t):
    memory["v"] = 0.9 * memory.get("v", 0) + 0.1 * g * g
    return g / (np.sqrt(memory["v"]) + EPS)


def adadelta(memory, g, t):
    memory["v"] = 0.9 * memory.get("v", 0) + 0.1 * g * g
    step = np.sqrt(memory.get("d", 0) + EPS) / np.sqrt(memory["v"] + EPS) * g
    memory["d"] = 0.9 * memory.get("d", 0) + 0.1 * step * step
    return step


@pytest.mark.parametrize("rule", [adam, rmsprop, adadelta], ids=lambda rule: rule.__name__)
def test_other_rules_are_lazy_as_by_a_plain_loop(rule):
    found, _ = steps(BATCHES[:12], rule.__name__, rows=True, eps=EPS)
    close(found.params, lazy(BATCHES[:12], rule), 2e-5)
    if rule is adam:  # for rows that some batches have not, that is another rule
        whole, _ = steps(BATCHES[:12], "adam", eps=EPS)
        assert np.abs(whole.params["body"]["table"] - found.params["body"]["table"]).max() > 0.01


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_a_row_that_a_batch_has_often_is_moved_by_less(kind):
    rule = adam if kind == "adam" else lambda memory, g, t: g
    options = {"eps": EPS} if kind == "adam" else {}
    found, _ = steps(BATCHES[:12], kind, rows=True, row_cap=2, **options)
    close(found.params, lazy(BATCHES[:12], rule, cap=2), 2e-5)
    without, _ = steps(BATCHES[:12], kind, rows=True, **options)
    assert np.abs(without.params["body"]["table"] - found.params["body"]["table"]).max() > 1e-3


def torch_run(batches, make):
    """A sparse embedding of PyTorch, a kernel on what it gives, and the summed squares of that."""
    embedding = torch.nn.Embedding(SIZE, DEPTH, sparse=True)
    with torch.no_grad():
        embedding.weight[:] = torch.tensor(np.array(table_params()["body"]["table"]))
    optimizer = make(embedding.parameters())
    for batch in batches:
        optimizer.zero_grad()
        (embedding(torch.tensor(batch["ids"])).sum(1) ** 2).sum().backward()
        optimizer.step()
    return embedding.weight.detach().numpy()


def squares(variables, carry, batch, context):
    """The same."""
    total = (variables["params"]["table"][batch["ids"]].sum(1) ** 2).sum()
    return LossOutput({"loss": Tally(total, jnp.float32(1))})


THEIRS = {
    "sgd": lambda params: torch.optim.SGD(params, 0.01),
    "adagrad": lambda params: torch.optim.Adagrad(params, 0.01, initial_accumulator_value=0.1),
    "adam": lambda params: torch.optim.SparseAdam(params, 0.01, eps=1e-30),  # where it stands is not where ours does
}


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize("kind", THEIRS)
def test_updates_are_those_of_a_sparse_embedding_of_pytorch(kind):
    of_kind = {"sgd": {}, "adam": {"eps": 1e-30}, "adagrad": {"initial": 0.1}}[kind]
    options = {"learning_rate": 0.01, "rows": True, **of_kind}
    state = init_state({"params": table_params()["body"]}, optimizer_of(kind, **options), key=jax.random.key(0))
    found, _ = steps(BATCHES, kind, loss=squares, state=state, **options)
    close(found.params["table"], torch_run(BATCHES, THEIRS[kind]), 2e-6)


def test_gradients_by_rows_are_those_of_the_whole_table():
    params = table_params()
    tables = tables_of(params, optimizer_of(rows=True))
    assert tables == (0, 1)
    variables = {"params": params}
    given = (loss_fn, variables, None, BATCHES[0], EVALUATION)
    others, looked_up, output = jax.jit(lambda: row_gradients(*given, tables=tables))()
    dense, wanted = jax.jit(lambda: loss_gradients(*given))()
    assert list(others) == [2]
    close((others[2], output.tallies), (dense["kernel"], wanted.tallies), 1e-7)
    for i, gradient in ((0, dense["body"]["table"]), (1, dense["embedding"])):
        ids, rows = looked_up[i]
        close(jnp.zeros(gradient.shape).at[ids].add(rows, mode="drop"), gradient, 1e-7)
    assert len(looked_up[0].ids) == BATCHES[0]["ids"].size + 4
