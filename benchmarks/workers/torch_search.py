"""Beam search with a Transformer in PyTorch's eager loop, keys and values cached.

The rules are those of `jaxseq.decoding.search`: of the candidates of a sentence the k best are the beam, those of them
that end are found, and k that do not end go on; a sentence is done where all k end, or where none that goes on can
still score above what is found.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.workers.arrays import read_arrays
from benchmarks.workers.prediction import sorted_batches
from benchmarks.workers.torch_pairs import TransformerTranslator, translator
from benchmarks.works import Work


class Cache(NamedTuple):
    """What a block of the decoder looks at."""

    source: tuple[Tensor, Tensor]
    """Keys and values of sources, [b, h, s, d]."""
    past: tuple[Tensor, Tensor] | None
    """Keys and values of the tokens so far, [n, h, t, d]."""


class Decoder:
    """The decoder of a translator, a token at a time, n = b * k rows, the k of one source side by side."""

    def __init__(self, model: TransformerTranslator) -> None:
        self.model, self.layers = model, model.transformer.decoder.layers
        self.heads = self.layers[0].self_attn.num_heads

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def begin(self, source: Tensor, mask: Tensor) -> list[Cache]:
        """What decoding looks at, of sources [b, s]."""
        memory = self.model.transformer.encoder(self.model.embed(source), src_key_padding_mask=~mask)
        caches = []
        for layer in self.layers:
            attention, d = layer.multihead_attn, memory.shape[-1]
            both = F.linear(memory, attention.in_proj_weight[d:], attention.in_proj_bias[d:])
            keys, values = map(self._split, both.chunk(2, -1))
            caches.append(Cache((keys, values), None))
        return caches

    def step(self, tokens: Tensor, caches: list[Cache], mask: Tensor, at: int) -> tuple[Tensor, list[Cache]]:
        """Logits [n, v] after tokens [n], which stand at position `at`, and what the next step looks at."""
        x, after = self.model.embed(tokens[:, None], at), []
        for layer, cache in zip(self.layers, caches, strict=True):
            x, past = self._to_self(layer, x, cache.past)
            x = self._to_source(layer, x, cache.source, mask)
            x = x + layer.linear2(F.relu(layer.linear1(layer.norm3(x))))
            after.append(cache._replace(past=past))
        features = self.model.transformer.decoder.norm(x)[:, 0]
        return F.linear(features, self.model.embedding.weight), after

    def _to_self(
        self, layer: torch.nn.TransformerDecoderLayer, x: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        attention = layer.self_attn
        query, *new = map(
            self._split, F.linear(layer.norm1(x), attention.in_proj_weight, attention.in_proj_bias).chunk(3, -1)
        )
        keys, values = new if past is None else (torch.cat(pair, 2) for pair in zip(past, new, strict=True))
        gathered = F.scaled_dot_product_attention(query, keys, values).transpose(1, 2).flatten(2)
        return x + attention.out_proj(gathered), (keys, values)

    def _to_source(
        self, layer: torch.nn.TransformerDecoderLayer, x: Tensor, seen: tuple[Tensor, Tensor], mask: Tensor
    ) -> Tensor:
        attention, d = layer.multihead_attn, x.shape[-1]
        query = F.linear(layer.norm2(x), attention.in_proj_weight[:d], attention.in_proj_bias[:d])
        together = self._split(query.view(len(mask), -1, d))  # the hypotheses of a source ask together
        gathered = F.scaled_dot_product_attention(together, *seen, attn_mask=mask[:, None, None])
        return x + attention.out_proj(gathered.transpose(1, 2).flatten(2).view_as(x))


def reordered(caches: list[Cache], rows: Tensor) -> list[Cache]:
    """The caches of those rows."""
    return [
        Cache(source, past and (past[0].index_select(0, rows), past[1].index_select(0, rows)))
        for source, past in caches
    ]


class Search:
    """One call translates all sentences, in batches from short to long, each as wide as its longest source."""

    def __init__(self, work: Work, folder: Path, device: str) -> None:
        saved = read_arrays(folder / "search.npz")
        self.ids, self.offsets = saved["ids"], saved["offsets"]
        self.start, self.end, self.longest = (int(saved[name]) for name in ("start", "end", "longest"))
        self.k, self.rows, self.device = work.beam, work.batch, device
        model = translator(folder).to(device).eval()
        assert isinstance(model, TransformerTranslator)
        self.decoder, vocabulary = Decoder(model), model.embedding.num_embeddings
        self.parameters = sum(p.numel() for p in model.parameters())
        self.forbidden = torch.zeros(vocabulary, dtype=torch.bool, device=device)
        self.forbidden[torch.from_numpy(saved["forbidden"]).long()] = True
        self.penalties = ((5 + torch.arange(self.longest + 1, device=device)) / 6) ** float(saved["length_penalty"])
        self.units_per_call = len(self.offsets) - 1

    @torch.inference_mode()
    def hypotheses(self) -> list[list[int]]:
        """The ids of the best translation of each sentence, in order."""
        order, batches = sorted_batches(self.ids, self.offsets, self.rows)
        lengths = np.diff(self.offsets)[order]
        found = []
        for number, batch in enumerate(batches):
            here = lengths[number * self.rows : number * self.rows + len(batch)]
            mask = torch.from_numpy(np.arange(batch.shape[1]) < here[:, None]).to(self.device)
            found += self._translate(torch.from_numpy(batch).long().to(self.device), mask)
        made: list[list[int]] = [[]] * len(order)
        for place, ids in zip(order, found, strict=True):
            made[place] = ids
        return made

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.hypotheses()

    def _translate(self, source: Tensor, mask: Tensor) -> list[list[int]]:
        b, k = len(source), self.k
        first = torch.arange(b, device=self.device)[:, None]
        caches = self.decoder.begin(source, mask)
        tokens = torch.full((b,), self.start, device=self.device)
        scores = torch.zeros(b, 1, device=self.device)
        history = torch.empty(b, 1, 0, dtype=torch.int64, device=self.device)
        best_score = torch.full((b,), -torch.inf, device=self.device)
        best = torch.full((b, self.longest), self.end, device=self.device)
        for at in range(self.longest):
            logits, caches = self.decoder.step(tokens, caches, mask, at)
            gains = torch.log_softmax(logits, -1).masked_fill(self.forbidden, -torch.inf)
            v, places, length = gains.shape[-1], scores.shape[1], at + 1
            candidates = (scores[:, :, None] + gains.view(b, places, v)).flatten(1)
            values, which = candidates.topk(2 * k, 1)
            parents, made = which // v, which % v
            ends = made == self.end

            # The best of those that end, or are cut, among the first k.
            whole = ends if length < self.longest else torch.ones_like(ends)
            normalised = values[:, :k].masked_fill(~whole[:, :k], -torch.inf) / self.penalties[length]
            score, place = normalised.max(1)
            better = score > best_score
            best_score = torch.where(better, score, best_score)
            lines = torch.cat([history[first[:, 0], parents.gather(1, place[:, None])[:, 0]],
                               made.gather(1, place[:, None])], 1)  # fmt: skip
            best[:, :length] = torch.where(better[:, None], lines, best[:, :length])
            best[:, length:] = torch.where(better[:, None], self.end, best[:, length:])

            # The k best of those that do not end.
            order = torch.sort(ends.int(), dim=1, stable=True).indices[:, :k]
            scores, parents, made = (x.gather(1, order) for x in (values, parents, made))
            bound = torch.maximum(
                scores[:, 0] / self.penalties[min(length + 1, self.longest)], scores[:, 0] / self.penalties[-1]
            )
            done = ends[:, :k].all(1) | (bound <= best_score)
            scores = scores.masked_fill(done[:, None], -torch.inf)
            if done.all():
                break
            caches = reordered(caches, (first * places + parents).flatten())
            history = torch.cat([history[first, parents], made[:, :, None]], 2)
            tokens = made.flatten()
        return [ids[: ids.index(self.end) + 1] if self.end in ids else ids for ids in best.tolist()]
