import laws
import pytest
import subjects

from jaxseq.models.transformer import TransformerLanguageModel

SIZE = {"vocabulary_size": 7, "features": 8, "heads": 2, "layers": 2, "mlp_ratio": 2}
SUBJECTS = [
    subjects.of_model("rotary", TransformerLanguageModel(**SIZE, context=4)),
    subjects.of_model("learned", TransformerLanguageModel(**SIZE, context=5, positions="learned", bias=True)),
    subjects.of_model("sinusoidal", TransformerLanguageModel(**SIZE, context=9, positions="sinusoidal", tie_embedding=False)),
]


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_the_carry_keeps_its_laws(subject, law):
    law(subject)
