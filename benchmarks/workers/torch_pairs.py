"""The encoder-decoders in PyTorch, as people write them: nn.Transformer; nn.LSTM, packed, and nn.LSTMCell in a loop
that is fed with what attention gave."""

import warnings
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.workers.pair_files import Weights, batches, described, sinusoids
from benchmarks.workers.torch_steps import Steps
from benchmarks.works import Work

IGNORED = -100
"""In place of a target that does not count."""


class TransformerTranslator(nn.Module):
    """source [b, s], source_mask, inputs [b, t] -> logits [b, t, v]; one embedding for both sides and the output."""

    def __init__(self, sizes: Mapping[str, Any], vocabulary: int) -> None:
        super().__init__()
        d = sizes["features"]
        self.embedding = nn.Embedding(vocabulary, d)
        self.register_buffer("positions", torch.from_numpy(sinusoids(512, d)), persistent=False)
        self.dropout = nn.Dropout(sizes["dropout"])
        with warnings.catch_warnings():  # it says that nested tensors are for post-norm alone
            warnings.simplefilter("ignore")
            self.transformer = nn.Transformer(
                d,
                sizes["heads"],
                sizes["layers"],
                sizes["decoder_layers"] or sizes["layers"],
                sizes["mlp_ratio"] * d,
                sizes["dropout"],
                batch_first=True,
                norm_first=True,
            )
        for layer in (*self.transformer.encoder.layers, *self.transformer.decoder.layers):
            layer.dropout.p = 0.0  # inside the feed-forward layer, where jaxseq has none

    def embed(self, tokens: Tensor, at: int = 0) -> Tensor:
        """Vectors of tokens that stand at positions from `at` on."""
        scale = self.embedding.embedding_dim**0.5
        return self.dropout(self.embedding(tokens) * scale + self.positions[at : at + tokens.shape[1]])

    def forward(self, source: Tensor, source_mask: Tensor, inputs: Tensor) -> Tensor:
        hidden = ~source_mask
        causal = nn.Transformer.generate_square_subsequent_mask(inputs.shape[1], device=inputs.device)
        # What is behind a target is hidden by the causal mask, as all of it is.
        features = self.transformer(
            self.embed(source),
            self.embed(inputs),
            tgt_mask=causal,
            src_key_padding_mask=hidden,
            memory_key_padding_mask=hidden,
            tgt_is_causal=True,
        )
        return F.linear(features, self.embedding.weight)

    def load(self, weights: Weights) -> None:
        found = {"embedding.weight": weights["embedding"]}
        for side in ("encoder", "decoder"):
            for i in count():
                ours, theirs = f"{side}/block_{i}", f"transformer.{side}.layers.{i}"
                if f"{ours}/attention/input/kernel" not in weights:
                    break
                found |= _attention(weights, f"{ours}/attention", f"{theirs}.self_attn")
                norms = ["attention_norm", "feed_forward_norm"]
                if side == "decoder":
                    found |= _attention(weights, f"{ours}/cross_attention", f"{theirs}.multihead_attn")
                    norms.insert(1, "cross_attention_norm")
                for number, norm in enumerate(norms, 1):
                    found[f"{theirs}.norm{number}.weight"] = weights[f"{ours}/{norm}/scale"]
                    found[f"{theirs}.norm{number}.bias"] = weights[f"{ours}/{norm}/bias"]
                found[f"{theirs}.linear1.weight"] = weights[f"{ours}/feed_forward/input/kernel"].T
                found[f"{theirs}.linear1.bias"] = weights[f"{ours}/feed_forward/input/bias"]
                found[f"{theirs}.linear2.weight"] = weights[f"{ours}/feed_forward/output/kernel"]
                found[f"{theirs}.linear2.bias"] = weights[f"{ours}/feed_forward/output/bias"]
            for part, name in (("scale", "weight"), ("bias", "bias")):
                found[f"transformer.{side}.norm.{name}"] = weights[f"{side}/final_norm/{part}"]
        _load(self, found)


def _attention(weights: Weights, ours: str, theirs: str) -> dict[str, np.ndarray]:
    """The weights of an nn.MultiheadAttention."""
    if f"{ours}/input/kernel" in weights:
        kernel, bias = weights[f"{ours}/input/kernel"], weights[f"{ours}/input/bias"]
    else:
        parts = ("query", "key", "value")
        kernel = np.concatenate([weights[f"{ours}/{part}/kernel"] for part in parts], axis=1)
        bias = np.concatenate([weights[f"{ours}/{part}/bias"] for part in parts])
    return {
        f"{theirs}.in_proj_weight": kernel.T,
        f"{theirs}.in_proj_bias": bias,
        f"{theirs}.out_proj.weight": weights[f"{ours}/output/kernel"].T,
        f"{theirs}.out_proj.bias": weights[f"{ours}/output/bias"],
    }


class AttentionTranslator(nn.Module):
    """source [b, s], source_mask, inputs [b, t] -> logits [b, t, v]: additive or general attention with input feeding.

    vocabularies: of source and target; None for a source that has the target's embedding.
    """

    def __init__(self, sizes: Mapping[str, Any], vocabularies: tuple[int | None, int]) -> None:
        super().__init__()
        wanted = {
            "cell": "lstm",
            "layers": 1,
            "bidirectional": True,
            "input_feeding": True,
            "tie_embedding": False,
            "use_scale": sizes["attention"] == "additive",
        }
        if sizes["attention"] not in ("additive", "general"):
            wanted["attention"] = "additive"
        if strange := [name for name, value in wanted.items() if sizes[name] != value]:
            raise ValueError(f"model.{strange[0]} is {sizes[strange[0]]}: there is no form of that, write one")
        d, width = sizes["features"], sizes["embedding"]
        self.embedding = nn.Embedding(vocabularies[1], width)
        self.source_embedding = self.embedding if vocabularies[0] is None else nn.Embedding(vocabularies[0], width)
        self.encoder = nn.LSTM(width, d // 2, batch_first=True, bidirectional=True)
        self.cell = nn.LSTMCell(width + d, d)
        self.key, self.combine = nn.Linear(d, d, bias=False), nn.Linear(2 * d, d, bias=False)
        self.query = self.scale = None
        if sizes["attention"] == "additive":
            self.query, self.scale = nn.Linear(d, d, bias=False), nn.Parameter(torch.zeros(d))
        self.output = nn.Linear(d, vocabularies[1])
        self.input_dropout = nn.Dropout(sizes["input_dropout"])
        self.output_dropout = nn.Dropout(sizes["output_dropout"])
        self.step = self._step

    def _step(
        self, x: Tensor, fed: Tensor, h: Tensor, c: Tensor, keys: Tensor, memory: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        h, c = self.cell(torch.cat([x, fed], 1), (h, c))
        if self.query is None or self.scale is None:
            scores = torch.bmm(keys, h[:, :, None])[:, :, 0]
        else:
            scores = torch.tanh(keys + self.query(h)[:, None]) @ self.scale
        weights = scores.masked_fill(hidden, -torch.inf).softmax(1)
        gathered = torch.bmm(weights[:, None], memory)[:, 0]
        return torch.tanh(self.combine(torch.cat([gathered, h], 1))), h, c

    def forward(self, source: Tensor, source_mask: Tensor, inputs: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(
            self.input_dropout(self.source_embedding(source)),
            source_mask.sum(1).cpu(),
            batch_first=True,
            enforce_sorted=False,
        )
        read, ends = self.encoder(packed)
        memory, _ = nn.utils.rnn.pad_packed_sequence(read, batch_first=True, total_length=source.shape[1])
        memory = self.output_dropout(memory)
        h, c = (end.transpose(0, 1).flatten(1) for end in ends)
        keys, hidden, fed = self.key(memory), ~source_mask, torch.zeros_like(h)
        made = []
        for x in self.input_dropout(self.embedding(inputs)).unbind(1):
            fed, h, c = self.step(x, fed, h, c, keys, memory, hidden)
            made.append(fed)
        return self.output(self.output_dropout(torch.stack(made, 1)))

    def load(self, weights: Weights) -> None:
        found = {
            "source_embedding.weight": weights.get("source_embedding", weights["embedding"]),
            "embedding.weight": weights["embedding"],
            "key.weight": weights["decoder/look/key_kernel"].T,
            "combine.weight": weights["decoder/combine_kernel"].T,
            "output.weight": weights["head/kernel"].T,
            "output.bias": weights["head/bias"],
        }
        if self.query is not None:
            found |= {"query.weight": weights["decoder/look/query_kernel"].T, "scale": weights["decoder/look/scale"]}
        for ours, theirs, suffix in (
            ("encoder/layer_0/forward", "encoder", "_l0"),
            ("encoder/layer_0/backward", "encoder", "_l0_reverse"),
            ("decoder/layer_0", "cell", ""),
        ):
            found[f"{theirs}.weight_ih{suffix}"] = weights[f"{ours}/input_kernel"].T
            found[f"{theirs}.weight_hh{suffix}"] = weights[f"{ours}/recurrent_kernel"].T
            found[f"{theirs}.bias_ih{suffix}"] = weights[f"{ours}/bias"]
            found[f"{theirs}.bias_hh{suffix}"] = np.zeros_like(weights[f"{ours}/bias"])
        _load(self, found)


def _load(model: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    model.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()})


def translator(folder: Path) -> TransformerTranslator | AttentionTranslator:
    """The model of a work's folder, with its weights."""
    sizes, weights, vocabularies, _ = described(folder)
    if sizes["kind"] == "seq2seq_transformer":
        model = TransformerTranslator(sizes, vocabularies[1])
    else:
        model = AttentionTranslator(sizes, vocabularies)
    model.load(weights)
    return model


class Training(Steps):
    """Forward, backward and update on each batch of a lap once a call."""

    def __init__(self, work: Work, folder: Path, device: str, *, compiled: bool) -> None:
        del work
        self.batches = []
        for batch in batches(folder):
            targets = np.where(batch["mask"], batch["targets"], IGNORED)
            source, inputs = (batch[name].astype(np.int64) for name in ("source", "inputs"))
            tensors = [torch.from_numpy(array) for array in (source, batch["source_mask"], inputs, targets)]
            self.batches.append([x.pin_memory() if device == "cuda" else x for x in tensors])
        self.smoothing = described(folder).smoothing
        self.model, self.device = translator(folder).to(device), device
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=True)
        self.loss = self._loss
        if compiled and isinstance(self.model, AttentionTranslator):
            self.model.step = torch.compile(self.model._step)  # a loop of any length over it
        elif compiled:
            self.loss = torch.compile(self._loss)
        self.units_per_call = len(self.batches)

    def _loss(self, source: Tensor, source_mask: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        logits = self.model(source, source_mask, inputs)
        return F.cross_entropy(
            logits.flatten(0, 1), targets.flatten().long(), ignore_index=IGNORED, label_smoothing=self.smoothing
        )

    def batch_loss(self) -> Tensor:
        return self.loss(*(x.to(self.device, non_blocking=True) for x in self.batches[self.step % len(self.batches)]))

    def losses(self, steps: int) -> list[float]:
        """Without dropout, and with one bias a gate, which two would move twice as fast."""
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_("bias_hh" not in name)
        for layer in self.model.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0
            elif isinstance(layer, nn.MultiheadAttention):
                layer.dropout = 0.0
        return super().losses(steps)
