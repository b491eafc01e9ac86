"""Wide rectangles and tall ones told apart by their corners: what six parameters cannot do, and thirteen can.

    python3 train.py configs/rectangles.py

10,000 made-up rectangles round the origin, sides from 0.5 to 2 that differ by 0.25 at least, by the four corners [b,
4, 2], from any corner on and either way round. A linear layer 2 -> 3 with a leaky ReLU and one 3 -> 1 for each
corner, and one 4 -> 1 over all four, without biases: 6 + 3 + 4 = 13 parameters. 6,000 steps of 64 take 1 s of one
core. Of the 2,000 rectangles to test all are right, for each of the seeds 0 to 9 (`--seeds 10`). What is found stands
in recognition.txt: units that see x or y alone, for relu(x) - relu(y), added up over the corners, is width less
height.

Test accuracy over ten seeds, each printed by the command above with its options and `--seeds 10`:

| options | parameters | mean | least | most |
|---|---|---|---|---|
| | 13 | 100 % | 100 % | 100 % |
| `--model.activation relu` | 13 | 100 % | 100 % | 100 % |
| `--model.activation none` | 13 | 50.8 % | 48.3 % | 53.2 % |
| `--model.points 1` | 6 | 50.0 % | 48.4 % | 51.6 % |
| `--model.points 1 --model.activation relu` | 6 | 49.8 % | 48.4 % | 51.6 % |
| `--model.points 1 --model.activation none` | 6 | 50.3 % | 48.5 % | 52.2 % |
| `--data.shift 3` | 13 | 83.4 % | 82.5 % | 84.8 % |
| `--data.shift 3 --model.bias` | 18 | 100 % | 100 % | 100 % |
| `--data.shift 3 --model.bias --model.activation relu` | 18 | 68.1 % | 48.4 % | 100 % |

One unit for each corner, the first form, has one number to go by for each pair of opposite corners, and cannot tell one
side from the other: over all orders 75 % is the most that any six parameters reach, and training finds no more than
chance. Without an activation everything is linear, and a rectangle turned by half a turn, which is itself in another
order, has the opposite logit: half are right, whatever the parameters.

Moved to the right by 3, without biases every unit's edge is a line through the origin, which passes far from the
upright sides or runs along the middle of all rectangles: heights can be told, widths not, and the best that a height
alone says is 84.0 %. Biases move the edges to where the rectangles are. With relu that was found for one seed of ten
only: a unit that no corner excites has no gradient, and one that all do tells nothing. With a slope of 0.3 below zero
none is ever lost, and all ten find it.
"""

from jaxseq.config import (
    AdamConfig,
    CornersConfig,
    ExperimentConfig,
    RecognitionConfig,
    RectanglesConfig,
    TrainConfig,
)

config = ExperimentConfig(
    name="rectangles",
    task=RecognitionConfig(),
    data=RectanglesConfig(examples=10_000, held_out=2_000, batch_size=64),
    model=CornersConfig(points=(3, 1)),
    optimizer=AdamConfig(learning_rate=0.1, schedule="cosine", final_fraction=0.1),
    train=TrainConfig(steps=6000, log_every=500, evaluate_every=3000, checkpoint_every=3000, steps_per_dispatch=100),
)
