"""BERT put together from PyTorch's own layers, and its weights under the names of Hugging Face: an oracle."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

WORDS = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "film", "was", "so"),
    *("good", "great", "fine", "lovely", "bad", "awful", "dull", "sad", "##s", "!"),
]
CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 9,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "vocab_size": len(WORDS),
}
_LAYER = {
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}


class Bert(nn.Module):
    """Features [b, t, d] of ids [b, t] with a mask, False on padding, which stands behind a text."""

    def __init__(self, config: dict[str, Any] = CONFIG) -> None:
        super().__init__()
        d, epsilon = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], d)
        self.places = nn.Embedding(config["max_position_embeddings"], d)
        self.segments = nn.Embedding(config["type_vocab_size"], d)
        self.norm = nn.LayerNorm(d, eps=epsilon)
        layer = nn.TransformerEncoderLayer(
            d,
            config["num_attention_heads"],
            config["intermediate_size"],
            dropout=0,
            activation="gelu",
            layer_norm_eps=epsilon,
            batch_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)
        self.eval()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.words(ids) + self.places(torch.arange(ids.shape[1])) + self.segments.weight[0]
        return self.encoder(self.norm(x), src_key_padding_mask=~mask)

    def mean(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The mean [b, d] over real tokens."""
        with torch.no_grad():
            features = self(torch.tensor(ids.astype(np.int64)), torch.tensor(mask)).numpy()
        weights = mask[:, :, None] / mask.sum(1)[:, None, None]
        return (features * weights).sum(1)

    def tensors(self) -> dict[str, np.ndarray]:
        """The weights as Hugging Face names them."""
        found = {
            "embeddings.word_embeddings.weight": self.words.weight,
            "embeddings.position_embeddings.weight": self.places.weight,
            "embeddings.token_type_embeddings.weight": self.segments.weight,
            "embeddings.LayerNorm.weight": self.norm.weight,
            "embeddings.LayerNorm.bias": self.norm.bias,
        }
        for number, layer in enumerate(self.encoder.layers):
            before, weights = f"encoder.layer.{number}.", layer.state_dict()
            for kind in ("weight", "bias"):
                parts = weights[f"self_attn.in_proj_{kind}"].chunk(3)
                for name, part in zip(("query", "key", "value"), parts, strict=True):
                    found[f"{before}attention.self.{name}.{kind}"] = part
                for own, name in _LAYER.items():
                    found[f"{before}{name}.{kind}"] = weights[f"{own}.{kind}"]
        return {name: tensor.detach().numpy().copy() for name, tensor in found.items()}

    def load(self, tensors: dict[str, np.ndarray]) -> None:
        """Takes weights of these names."""
        with torch.no_grad():
            given = {name: torch.tensor(array) for name, array in tensors.items()}
            for module, name in ((self.words, "word"), (self.places, "position"), (self.segments, "token_type")):
                module.weight.copy_(given[f"embeddings.{name}_embeddings.weight"])
            for kind in ("weight", "bias"):
                getattr(self.norm, kind).copy_(given[f"embeddings.LayerNorm.{kind}"])
                for number, layer in enumerate(self.encoder.layers):
                    before = f"encoder.layer.{number}."
                    parts = [given[f"{before}attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
                    getattr(layer.self_attn, f"in_proj_{kind}").copy_(torch.cat(parts))
                    for own, name in _LAYER.items():
                        layer.get_parameter(f"{own}.{kind}").copy_(given[f"{before}{name}.{kind}"])


def write_bert(folder: Path, bert: Bert, config: dict[str, Any] = CONFIG, *, prefix: str = "") -> Path:
    """The folder, made, with the weights, config.json and vocab.txt."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({prefix + name: array for name, array in bert.tensors().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return folder
