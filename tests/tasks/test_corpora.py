"""From the data section of a configuration to ids, splits and loaders."""

import dataclasses
import gzip
import re
import zlib

import numpy as np
import pytest

from jaxseq.config import CorpusConfig
from jaxseq.data import (
    DamagedTokenFileError,
    RowLoader,
    TokenChunk,
    WindowLoader,
    source_fingerprint,
    take_split,
    write_token_file,
)
from jaxseq.errors import InputError
from jaxseq.tasks.language.corpora import prepare, prepared_before, row_loader, training_loader, window_loader
from jaxseq.text import TOKENIZERS, CharTokenizer

TEXT = "abcabc abd\n" * 40


@pytest.fixture
def config(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    return CorpusConfig(source=str(tmp_path / "a.txt"), length=8, batch_size=4)


def with_documents(folder, **fields):
    """A folder of three documents of 100, 50 and 150 characters."""
    folder = folder / "documents"
    folder.mkdir()
    for name, size in (("1", 100), ("2", 50)):
        (folder / f"{name}.txt").write_text(("xyz" * size)[:size])
    (folder / "3.txt.gz").write_bytes(gzip.compress(("zyx" * 50).encode()))
    return CorpusConfig(**{"source": str(folder), "length": 8, "batch_size": 4, "split": (1.0, 0.0, 0.0), **fields})


def test_the_text_becomes_the_ids_of_a_tokenizer_trained_on_it(config):
    tokenizer, corpus = prepare(config)
    assert tokenizer == CharTokenizer.train(TEXT)
    assert tokenizer.decode(corpus.ids) == TEXT
    assert corpus.document_starts.tolist() == [0]


def test_documents_lie_end_to_end_and_their_starts_are_known(tmp_path):
    tokenizer, corpus = prepare(with_documents(tmp_path))
    assert corpus.document_starts.tolist() == [0, 100, 150]
    assert tokenizer.decode(corpus.ids[150:]) == "zyx" * 50


def test_normalisers_and_rare_symbols_are_those_of_the_configuration(tmp_path):
    (tmp_path / "a.txt").write_text("AAAA bbbb C")
    tokenizer, corpus = prepare(CorpusConfig(source=str(tmp_path / "a.txt"), normalize=("lowercase",), min_count=2))
    assert tokenizer.normalizers == ("lowercase",)
    assert "c" not in tokenizer.vocabulary
    assert "C" not in tokenizer.vocabulary
    assert tokenizer.decode(corpus.ids).startswith("aaaa bbbb ")
    assert len(corpus.ids) == 11


@pytest.mark.parametrize("kind", ["char", "jamo", "byte"])
def test_each_kind_of_tokenizer_is_made_on_the_text(tmp_path, kind):
    (tmp_path / "a.txt").write_text("이 영화는 abc", encoding="utf-8")
    tokenizer, corpus = prepare(CorpusConfig(source=str(tmp_path / "a.txt"), tokenizer=kind))
    assert tokenizer.kind == kind
    assert tokenizer.decode(corpus.ids) == "이 영화는 abc"


def test_a_tokenizer_that_is_there_already_is_used(config):
    wide = CharTokenizer.train(TEXT + "xyz")
    tokenizer, corpus = prepare(config, tokenizer=wide)
    assert tokenizer is wide
    np.testing.assert_array_equal(corpus.ids, wide.encode(TEXT))
    with pytest.raises(InputError, match="'a'"):
        prepare(config, tokenizer=CharTokenizer.train("xyz"))


def test_ids_on_disk_are_those_in_memory_and_are_written_once(tmp_path):
    config = with_documents(tmp_path, memory_map=True)
    file, counts = tmp_path / "tokens.npy", []
    tokenizer, mapped = prepare(config, token_file=file, progress=counts.append)
    in_memory = prepare(dataclasses.replace(config, memory_map=False))
    np.testing.assert_array_equal(mapped.ids, in_memory.corpus.ids)
    np.testing.assert_array_equal(mapped.document_starts, in_memory.corpus.document_starts)
    assert tokenizer == in_memory.tokenizer
    assert counts[-1] == 300
    assert mapped.ids.dtype == np.uint8
    counts.clear()
    again = prepare(config, tokenizer=tokenizer, token_file=file, progress=counts.append)
    assert counts == []
    assert again.fingerprint() == type(again)(tokenizer, mapped).fingerprint()


def test_ids_on_disk_are_written_anew_when_source_or_tokenizer_are_others(tmp_path, config):
    mapped = CorpusConfig(source=config.source, memory_map=True)
    file = tmp_path / "tokens.npy"
    prepare(mapped, token_file=file)
    wide = CharTokenizer.train(TEXT + "Ω" * 1000)
    np.testing.assert_array_equal(prepare(mapped, tokenizer=wide, token_file=file).corpus.ids, wide.encode(TEXT))
    (tmp_path / "a.txt").write_text(TEXT + "more")
    assert len(prepare(mapped, tokenizer=CharTokenizer.train(TEXT + "more"), token_file=file).corpus.ids) == 444


def test_a_place_is_needed_for_ids_on_disk(config):
    with pytest.raises(ValueError, match="place for the token file"):
        prepare(CorpusConfig(source=config.source, memory_map=True))


def test_the_fingerprint_changes_with_any_id(config, tmp_path):
    one = prepare(config)
    assert one.fingerprint() == prepare(config).fingerprint()
    (tmp_path / "a.txt").write_text(TEXT.replace("abd", "adb", 1))
    assert prepare(config).fingerprint() != one.fingerprint()


def test_the_layout_decides_on_the_loader(config):
    rows = training_loader(config, prepare(config).corpus, seed=0)
    assert isinstance(rows, RowLoader)
    windows = CorpusConfig(source=config.source, length=8, batch_size=4, layout="windows", shift=2)
    loaders = [training_loader(windows, prepare(config).corpus, seed=seed) for seed in (0, 0, 1)]
    assert all(isinstance(loader, WindowLoader) for loader in loaders)
    first, same, other = (loader(0).inputs for loader in loaders)
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_training_sees_the_training_split_alone(config):
    _, corpus = prepare(config)
    loader = training_loader(config, corpus, seed=0)
    part = take_split(corpus, config.split, "train").ids
    read = np.concatenate([loader(step).inputs for step in range(loader.steps_per_epoch)], axis=1).ravel()
    np.testing.assert_array_equal(read, part[: len(read)])
    assert len(part) == 396


def test_an_evaluation_by_rows_reads_every_token_once(tmp_path):
    config = with_documents(tmp_path)
    corpus = prepare(config).corpus
    loader = row_loader(config, corpus, rows=3)
    batches = [loader(step) for step in range(loader.steps_per_epoch)]
    assert sum(int(batch.mask.sum()) for batch in batches) == 299
    rows = [np.concatenate([batch.inputs[row][batch.mask[row]] for batch in batches]) for row in range(3)]
    np.testing.assert_array_equal(np.concatenate(rows), corpus.ids[:-1])
    starts = np.concatenate([batch.reset for batch in batches], axis=1)
    assert np.argwhere(starts).tolist() == [[0, 0], [1, 0], [1, 50], [2, 0]]  # bounds are 0, 100, 200


def test_an_evaluation_by_windows_sees_every_window_in_order(config):
    _, corpus = prepare(config)
    loader = window_loader(config, corpus, shift=8)
    batches = [loader(step) for step in range(loader.steps_per_epoch)]
    inputs = np.concatenate([batch.inputs[batch.mask[:, 0]] for batch in batches])
    np.testing.assert_array_equal(inputs.ravel(), corpus.ids[: inputs.size])
    assert len(inputs) == (440 - 1) // 8
    assert all((batch.reset[:, 0] == batch.mask[:, 0]).all() for batch in batches)


def test_an_unknown_symbol_is_found_in_its_document_and_part(tmp_path):
    for name, text in (("a.txt", "ab " * 10), ("b.txt", "ab\n" * 700_000 + "abc\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        prepare(CorpusConfig(source=str(tmp_path)), tokenizer=CharTokenizer.train("ab \n"))
    where = re.search(r", document 2 from its character ([\d,]+) on: 'c' .* at offset (\d+) ", str(caught.value))
    assert where
    assert int(where[1].replace(",", "")) + int(where[2]) == 2_100_002


def test_a_tokenizer_of_one_s_own_need_not_know_rare_symbols(tmp_path, config, monkeypatch):
    class Plain(CharTokenizer):
        @classmethod
        def train(cls, text, *, normalize=()):
            return super().train(text, normalize=normalize)

    monkeypatch.setitem(TOKENIZERS, "char", Plain)
    assert isinstance(prepare(config).tokenizer, Plain)


class Overreaching(CharTokenizer):
    """Makes an id that its vocabulary does not have."""

    def encode(self, text):
        ids = super().encode(text)
        ids[5] = len(self.vocabulary)
        return ids


@pytest.mark.parametrize("memory_map", [False, True])
def test_a_tokenizer_that_makes_ids_outside_its_vocabulary_is_found_out(tmp_path, config, memory_map):
    config = dataclasses.replace(config, memory_map=memory_map)
    with pytest.raises(InputError, match="token ids run from 0 to 6, the vocabulary has 6"):
        prepare(config, tokenizer=Overreaching.train(TEXT), token_file=tmp_path / "tokens.npy")


def test_a_damaged_token_file_is_told_and_written_anew_only_when_asked(tmp_path, config):
    config = dataclasses.replace(config, memory_map=True)
    file = tmp_path / "tokens.npy"
    tokenizer, corpus = prepare(config, token_file=file)
    ids, whole = corpus.ids.tolist(), file.read_bytes()
    file.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    for read in (prepare, prepared_before):
        with pytest.raises(DamagedTokenFileError, match=r"tokens\.npy is damaged"):
            read(config, tokenizer=tokenizer, token_file=file)
    assert prepare(config, tokenizer=tokenizer, token_file=file, anew=True).corpus.ids.tolist() == ids
    assert file.read_bytes() == whole


def test_a_token_file_of_another_vocabulary_is_damaged_whatever_its_fingerprint_says(tmp_path, config):
    config = dataclasses.replace(config, memory_map=True)
    file = tmp_path / "tokens.npy"
    tokenizer, _ = prepare(config, token_file=file)
    write_token_file(
        file,
        [TokenChunk(np.array([255, 1]), True)],
        vocab_size=256,
        tokenizer=tokenizer.fingerprint,
        source=source_fingerprint(config.source),
    )
    with pytest.raises(DamagedTokenFileError, match="a vocabulary of 256, the tokenizer has 6"):
        prepare(config, tokenizer=tokenizer, token_file=file)


def test_the_fingerprint_of_a_mapped_corpus_is_worked_out_while_its_file_is_checked(tmp_path, config, monkeypatch):
    config = dataclasses.replace(config, memory_map=True)
    prepared = prepare(config, token_file=tmp_path / "tokens.npy")
    expected = f"440-{zlib.crc32(np.asarray(prepared.corpus.ids).tobytes()):08x}"
    monkeypatch.setattr("jaxseq.tasks.language.corpora.zlib", None)  # the ids are not gone through again
    assert prepared.fingerprint() == expected


def test_loaders_know_the_vocabulary_of_their_ids(config):
    _, corpus = prepare(config)
    loaders = [
        training_loader(config, corpus, seed=0),
        training_loader(dataclasses.replace(config, layout="windows"), corpus, seed=0),
        row_loader(config, corpus, rows=2),
        window_loader(config, corpus, shift=8),
    ]
    assert [loader.vocab_size for loader in loaders] == [6] * 4


def test_splits_of_their_own_lie_behind_the_source_and_teach_the_tokenizer_nothing(tmp_path, config):
    for name, text in (("v", "cab\n"), ("t", "abcd")):
        (tmp_path / f"{name}.txt").write_text(text)
    own = {"validation_source": str(tmp_path / "v.txt"), "test_source": str(tmp_path / "t.txt")}
    whole = dataclasses.replace(config, split=(1.0, 0.0, 0.0), **own)
    tokenizer, corpus = prepare(whole)
    assert tokenizer == CharTokenizer.train(TEXT)
    parts = {name: take_split(corpus, whole.split, name) for name in whole.splits}
    assert {name: tokenizer.decode(part.ids) for name, part in parts.items()} == {
        "train": TEXT,
        "validation": "cab\n",
        "test": "abcd",
    }
    assert all(part.document_starts.tolist() == [0] for part in parts.values())
    (tmp_path / "t.txt").write_text("x")
    with pytest.raises(InputError, match=r"t\.txt, document 1: 'x'"):
        prepare(whole)


def test_a_share_is_left_to_the_source_where_one_split_has_its_own(tmp_path, config):
    (tmp_path / "v.txt").write_text("cab\n")
    half = dataclasses.replace(config, split=(0.5, 0.0, 0.5), validation_source=str(tmp_path / "v.txt"))
    tokenizer, corpus = prepare(half)
    read = {name: tokenizer.decode(take_split(corpus, half.split, name).ids) for name in half.splits}
    assert read == {"train": TEXT[:220], "validation": "cab\n", "test": TEXT[220:]}


def test_words_are_all_known_or_the_rarer_ones_one_symbol(tmp_path):
    (tmp_path / "a.txt").write_text("to be or\nnot to be\n")
    words = CorpusConfig(source=str(tmp_path / "a.txt"), tokenizer="word")
    tokenizer, corpus = prepare(words)
    assert tokenizer.vocabulary.symbols == ("to", "be", "\n", "or", "not")
    assert corpus.ids.tolist() == [0, 1, 3, 2, 4, 0, 1, 2]
    tokenizer, corpus = prepare(dataclasses.replace(words, max_words=2))
    assert tokenizer.vocabulary.symbols == ("<unk>", "to", "be")
    assert corpus.ids.tolist() == [1, 2, 0, 0, 0, 1, 2, 0]
