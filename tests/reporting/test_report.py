"""What a person sees: bar or lines, TensorBoard, the table of layers."""

import io

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxseq.metrics.perplexity import TOKEN_METRICS
from jaxseq.reporting.console import Console
from jaxseq.reporting.reporter import Rate, Reporters, Silent
from jaxseq.reporting.summary import Layer, count_parameters, format_table, layers_of
from jaxseq.reporting.tensorboard import TensorBoard

TRAIN = {"step": 20, "epoch": 0.5, "split": "train", "loss": 2.25, "learning_rate": 0.001, "skipped": 0}
VALIDATION = {"step": 20, "epoch": 0.5, "split": "validation", "loss": 2.5, "bits_per_token": 3.607}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def show(console):
    console.begin(0, 100)
    console.advance(10, 2.5, 4000.0)
    console.advance(20, 2.25, 4000.0)
    console.row(TRAIN)
    console.row(VALIDATION)
    console.say("something happened")
    console.close()


def test_a_terminal_sees_a_bar_with_steps_time_loss_and_speed():
    stream = Terminal()
    show(Console(TOKEN_METRICS, stream=stream))
    shown = stream.getvalue()
    assert "20/100 steps" in shown
    assert " left" in shown
    assert "loss 2.2500" in shown
    assert "tokens/s" in shown
    assert "step 20, validation: loss 2.5, bits per token 3.607\n" in shown
    assert "something happened\n" in shown
    assert "train" not in shown


def test_without_a_terminal_every_row_is_a_line():
    stream = io.StringIO()
    show(Console(TOKEN_METRICS, stream=stream))
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("step 20, epoch 0.5, train: loss 2.25, learning rate 0.001, skipped 0, ")
    assert lines[0].endswith(" tokens/s")
    assert lines[1:] == ["step 20, epoch 0.5, validation: loss 2.5, bits per token 3.607", "something happened"]


def test_a_bar_goes_back_with_the_run():
    stream = Terminal()
    console = Console(TOKEN_METRICS, stream=stream)
    console.begin(0, 10)
    console.advance(8, 1.0, 1.0)
    console.begin(4, 10)
    console.advance(5, 1.0, 1.0)
    console.close()
    assert "5/10 steps" in stream.getvalue()


def scalars(directory):
    """(step, tag, value) of everything in the event files, in the order written, purged as TensorBoard does."""
    from tensorboardX.crc32c import crc32c
    from tensorboardX.proto.event_pb2 import Event

    def masked(data):
        crc = crc32c(data)
        return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32

    found = []
    for path in sorted(directory.iterdir()):
        raw, at = path.read_bytes(), 0
        while at < len(raw):
            size = int.from_bytes(raw[at : at + 8], "little")
            data, end = raw[at + 12 : at + 12 + size], at + 12 + size
            assert int.from_bytes(raw[at + 8 : at + 12], "little") == masked(raw[at : at + 8])
            assert int.from_bytes(raw[end : end + 4], "little") == masked(data)
            event, at = Event.FromString(data), end + 4
            if event.HasField("session_log"):
                found = [entry for entry in found if entry[0] < event.step]
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
    return found


def test_tensorboard_gets_every_number_and_a_resumed_run_purges_what_it_does_again(tmp_path):
    board = TensorBoard(tmp_path)
    board.begin(0, 100)
    for step in (10, 20):
        board.advance(step - 5, 1.0, 100.0)
        board.advance(step, 1.0, 100.0)
        board.row({**TRAIN, "step": step, "perplexity": float("inf"), "huge": 1e300})
    board.close()
    board.begin(10, 100)
    board.row({**VALIDATION, "step": 10})
    board.close()
    found = scalars(tmp_path)
    assert {tag for _, tag, _ in found} == {
        "train/epoch",
        "train/loss",
        "train/learning_rate",
        "train/skipped",
        "speed/tokens_per_second",
        "validation/epoch",
        "validation/loss",
        "validation/bits_per_token",
    }
    assert {step for step, _, _ in found} == {10}
    assert (10, "validation/loss", 2.5) in found


def test_several_reporters_are_told_the_same():
    streams = io.StringIO(), io.StringIO()
    show(Reporters(*(Console(TOKEN_METRICS, stream=stream) for stream in streams), Silent()))
    assert streams[0].getvalue().count("\n") == streams[1].getvalue().count("\n") == 3


@pytest.fixture
def clock(monkeypatch):
    """Sets the time in seconds that reports are made at."""

    def set_to(seconds):
        monkeypatch.setattr("jaxseq.reporting.reporter.time.perf_counter", lambda: seconds)

    return set_to


def test_a_rate_is_of_the_last_seconds_and_starts_when_the_first_steps_are_done(clock):
    rate = Rate(seconds=5)
    assert rate.per_second == 0
    for seconds, tokens, expected in [(60, 999, 0), (61, 100, 100), (62, 300, 200), (90, 280, 10)]:
        clock(seconds)
        rate.add(tokens)
        assert rate.per_second == expected


def test_an_evaluation_does_not_slow_the_speed_shown(clock):
    stream = io.StringIO()
    console = Console(TOKEN_METRICS, stream=stream)
    clock(0)
    console.begin(0, 100)
    for seconds in (1, 2, 3):
        clock(seconds)
        console.advance(10 * seconds, 2.0, 50.0)
    console.row(TRAIN)
    clock(100)
    console.row(VALIDATION)
    for seconds in (101, 102, 103):
        clock(seconds)
        console.advance(10 * seconds, 2.0, 50.0)
    console.row(TRAIN)
    assert [line.split(", ")[-1] for line in stream.getvalue().splitlines() if "train" in line] == ["50 tokens/s"] * 2


class Net(nn.Module):
    @nn.compact
    def __call__(self, tokens):
        embedded = nn.Embed(7, 4, name="embedding")(tokens)
        return nn.Dense(7, name="head")(embedded) + self.param("shift", nn.initializers.zeros, (7,))


def test_the_table_of_layers_has_shapes_and_counts():
    net, tokens = Net(), jnp.zeros((2, 3), jnp.int32)
    params = net.init(jax.random.key(0), tokens)["params"]
    _, kept = jax.eval_shape(
        lambda: net.apply({"params": params}, tokens, capture_intermediates=True, mutable=["intermediates"])
    )
    layers = layers_of(params, kept["intermediates"], {"embedding": "Embed"})
    assert sorted(layers) == [
        Layer("embedding", "Embed", "(2, 3, 4)", 28),
        Layer("head", "", "(2, 3, 7)", 35),
        Layer("shift", "", "", 7),
    ]
    assert count_parameters(params) == 70
    assert layers_of(params)[-1].output == ""


def test_the_table_is_aligned_text():
    text = format_table([Layer("embedding", "Embed", "(32, 100, 128)", 91_648), Layer("head", "Linear", "", 6_450)])
    assert text.splitlines() == [
        "layer      kind    output          parameters",
        "---------------------------------------------",
        "embedding  Embed   (32, 100, 128)      91,648",
        "head       Linear                       6,450",
        "---------------------------------------------",
        "total                                  98,098",
    ]


def test_multiply_adds_have_a_column_and_what_makes_them_a_row():
    leaf = jax.ShapeDtypeStruct((4, 4), jnp.float32)
    params = {"block": {"attention": {"input": {"kernel": leaf}}, "pool": {}, "table": leaf}, "norm": {"scale": leaf}}
    kinds = dict.fromkeys(["block", "block/attention", "block/attention/input", "block/table", "norm", "head"], "")
    products = {"block/attention": 1_000, "head": 20, "block/attention/input": 3, "": 4}
    text = format_table(layers_of(params, {"head": {"__call__": (leaf,)}}, {**kinds, "norm": "Norm"}, products))
    assert text.splitlines() == [
        "layer                  kind  output  parameters  multiply-adds",
        "--------------------------------------------------------------",
        "block/attention                               0          1,000",
        "block/attention/input                        16              3",
        "block/pool                                    0              0",
        "block/table                                  16              0",
        "norm                   Norm                  16              0",
        "head                         (4, 4)           0             20",
        "(model)                                       0              4",
        "--------------------------------------------------------------",
        "total                                        48          1,027",
    ]
