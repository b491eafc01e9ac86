"""The five laws of the carry for every recurrent layer."""

import laws
import pytest
import subjects

from jaxseq.nn.recurrent import GRU, LSTM, SimpleRNN

LAYERS = {
    "lstm": LSTM(4),
    "gru_reset_after": GRU(4),
    "gru_reset_before": GRU(4, reset_after=False),
    "simple_rnn": SimpleRNN(4),
}
SUBJECTS = [
    subjects.of_layer(name, layer, features=3, initial_carry=layer.initial_carry) for name, layer in LAYERS.items()
]


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_the_carry_keeps_its_laws(subject, law):
    law(subject)
