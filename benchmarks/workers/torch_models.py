"""The works' models in PyTorch: fused recurrences (nn.LSTM, nn.GRU), scaled_dot_product_attention."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.works import Model


class Recurrent(nn.Module):
    """tokens [b, t] int64, carry -> (logits [b, t, v], carry)."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.vocabulary = model.vocabulary
        self.embedding = nn.Embedding(model.vocabulary, model.embedding) if model.embedding else None
        if model.tied and self.embedding:
            nn.init.uniform_(self.embedding.weight, -0.1, 0.1)  # as in PyTorch's example of a word model
        self.dropout = model.dropout
        kind = nn.LSTM if model.family == "lstm" else nn.GRU
        self.layers = nn.ModuleList(kind(width, model.features, batch_first=True) for width in model.input_widths)
        self.output = None if model.tied else nn.Linear(model.features, model.vocabulary)

    def embed(self, tokens: Tensor) -> Tensor:
        return self.embedding(tokens) if self.embedding else F.one_hot(tokens, self.vocabulary).float()

    def head(self, x: Tensor) -> Tensor:
        if self.output:
            return self.output(x)
        assert self.embedding is not None
        return F.linear(x, self.embedding.weight)

    def forward(self, tokens: Tensor, carry: Any = None) -> tuple[Tensor, Any]:
        x, after = self.embed(tokens), []
        for layer, state in zip(self.layers, carry or [None] * len(self.layers), strict=True):
            if self.training and self.dropout:
                x = x * F.dropout(x.new_ones(x.shape[0], 1, x.shape[2]), self.dropout)
            x, state = layer(x, state)
            after.append(state)
        return self.head(x), after


class Classifier(nn.Module):
    """tokens [b, t] int64, 0 behind the text -> (logits [b], None); the texts packed, so that padding costs nothing."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.embedding = nn.Embedding(model.vocabulary, model.embedding)
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)  # as Keras has it
        kind = nn.LSTM if model.family == "lstm" else nn.GRU
        self.recurrent = kind(
            model.embedding, model.features, model.layers, batch_first=True, bidirectional=model.directions == 2
        )
        self.directions = model.directions
        self.head = nn.Linear(model.directions * model.features, 1)

    def forward(self, tokens: Tensor, carry: None = None) -> tuple[Tensor, None]:
        lengths = (tokens != 0).sum(1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        _, state = self.recurrent(packed)
        h = state[0] if isinstance(state, tuple) else state
        return self.head(h[-self.directions :].transpose(0, 1).flatten(1))[:, 0], carry


def load_weights(model: Classifier, weights: Mapping[str, np.ndarray]) -> None:
    """The parameters of `benchmarks.data.weights`; the second biases are zero."""
    loaded = {"embedding.weight": weights["embedding"]}
    for direction, suffix in (("forward", ""), ("backward", "_reverse")):
        loaded[f"recurrent.weight_ih_l0{suffix}"] = weights[f"{direction}_input"].T
        loaded[f"recurrent.weight_hh_l0{suffix}"] = weights[f"{direction}_recurrent"].T
        loaded[f"recurrent.bias_ih_l0{suffix}"] = weights[f"{direction}_bias"]
        loaded[f"recurrent.bias_hh_l0{suffix}"] = np.zeros_like(weights[f"{direction}_bias"])
    loaded |= {"head.weight": weights["head_kernel"].T, "head.bias": weights["head_bias"]}
    model.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in loaded.items()})


class Stepper(nn.Module):
    """tokens [b], carry -> (logits [b, v], carry): the single cells of a Recurrent, with its very parameters; faster
    for one token than the fused layers, which are made for sequences."""

    def __init__(self, model: Model, trained: Recurrent) -> None:
        super().__init__()
        self.trained = trained
        kind = nn.LSTMCell if model.family == "lstm" else nn.GRUCell
        self.cells = nn.ModuleList(kind(width, model.features) for width in model.input_widths)
        for cell, layer in zip(self.cells, trained.layers, strict=True):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                setattr(cell, name, getattr(layer, f"{name}_l0"))

    def forward(self, tokens: Tensor, carry: list[Any]) -> tuple[Tensor, list[Any]]:
        x = self.trained.embed(tokens)
        after = []
        for cell, state in zip(self.cells, carry, strict=True):
            state = cell(x, state)
            x = state[0] if isinstance(state, tuple) else state
            after.append(state)
        return self.trained.head(x), after


class Block(nn.Module):
    def __init__(self, model: Model) -> None:
        super().__init__()
        d = model.features
        self.heads, self.dropout = model.heads, model.dropout
        self.attention_norm, self.mlp_norm = nn.LayerNorm(d, bias=False), nn.LayerNorm(d, bias=False)
        self.qkv, self.projection = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        self.up, self.down = nn.Linear(d, 4 * d, bias=False), nn.Linear(4 * d, d, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        drop = self.dropout if self.training else 0.0
        qkv = self.qkv(self.attention_norm(x)).view(b, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=drop, is_causal=True)
        x = x + F.dropout(self.projection(y.transpose(1, 2).reshape(b, t, d)), drop)
        return x + F.dropout(self.down(F.gelu(self.up(self.mlp_norm(x)))), drop)


class Transformer(nn.Module):
    """tokens [b, t] int64 -> (logits [b, t, v], None), the output layer tied to the embedding."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.embedding = nn.Embedding(model.vocabulary, model.features)
        self.positions = nn.Embedding(model.context, model.features)
        self.dropout = nn.Dropout(model.dropout)
        self.blocks = nn.ModuleList(Block(model) for _ in range(model.layers))
        self.norm = nn.LayerNorm(model.features, bias=False)
        for weight in (p for p in self.parameters() if p.dim() == 2):
            nn.init.normal_(weight, std=0.02)

    def forward(self, tokens: Tensor, carry: None = None) -> tuple[Tensor, None]:
        x = self.dropout(self.embedding(tokens) + self.positions.weight[: tokens.shape[1]])
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.embedding.weight), carry
