"""Files tokenizer.json of the library `tokenizers`, as far as a tokenizer of ours gives texts the same ids and back."""

import json
import reprlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from jaxseq.errors import InputError
from jaxseq.text.byte_pairs import BytePairTokenizer
from jaxseq.text.unigrams import BYTES, UnigramTokenizer, json_scores
from jaxseq.text.vocab import json_fields
from jaxseq.text.wordpieces import BertNormalization, WordPieceTokenizer

_FORMS = {"NFC": "nfc", "NFKC": "nfkc"}
_SPACE = "▁"

_Tree = dict[str, Any]


def read_tokenizers_json(
    text: str | bytes, *, normalize: Sequence[str] = (), padding: bool = True
) -> BytePairTokenizer | WordPieceTokenizer | UnigramTokenizer:
    """The tokenizer in a file that the library `tokenizers` wrote, such as those of Hugging Face.

    Ids are those of the file, behind padding. Tokens that were added to it become names that no text has, and what the
    file puts around a text, or cuts off it, is not done.

    Args:
        normalize: names of `NORMALIZERS`, applied before those of the file.
        padding: keep id 0 for who pads, and number the pieces of the file from 1 on.

    Raises:
        InputError: it is no such file, or one whose options lose text in silence or are not known here; the message
            names the field.
    """
    try:
        tree = _object(json.loads(text), "the file")
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"a tokenizer.json of the library tokenizers must be JSON ({error})") from error
    model = _object(tree.get("model"), "model")
    read = {"BPE": _read_bpe, "WordPiece": _read_wordpiece, "Unigram": _read_unigram}
    kind = _one_of("model.type", model.get("type"), *read)
    return read[kind](tree, model, normalize, padding)


def _read_bpe(tree: _Tree, model: _Tree, normalize: Sequence[str], padding: bool) -> BytePairTokenizer:
    for name, usual in (("dropout", 0.0), ("byte_fallback", False), ("ignore_merges", False)):
        _one_of(f"model.{name}", model.get(name), None, usual)
    for name in ("end_of_word_suffix", "continuing_subword_prefix"):
        _one_of(f"model.{name}", model.get(name), None, "")
    _one_of("decoder.type", _object(tree.get("decoder"), "decoder").get("type"), "ByteLevel")
    pieces, reserved = _numbered(_object(model.get("vocab"), "model.vocab"), _added(tree))
    return BytePairTokenizer(
        pieces,
        tuple(map(_merge, _list(model.get("merges"), "model.merges"))),
        tuple(sorted(reserved)),
        _pattern(_object(tree.get("pre_tokenizer"), "pre_tokenizer")),
        padding=padding,
        normalizers=(*normalize, *_normalizers(tree.get("normalizer"))),
    )


def _read_wordpiece(tree: _Tree, model: _Tree, normalize: Sequence[str], padding: bool) -> WordPieceTokenizer:
    _one_of("model.continuing_subword_prefix", model.get("continuing_subword_prefix"), "##")
    _one_of("model.max_input_chars_per_word", model.get("max_input_chars_per_word"), 100)
    before = _object(tree.get("pre_tokenizer"), "pre_tokenizer")
    _one_of("pre_tokenizer.type", before.get("type"), "BertPreTokenizer")
    decoder = tree.get("decoder")
    if decoder is not None:
        _one_of("decoder.type", _object(decoder, "decoder").get("type"), "WordPiece")
    pieces, reserved = _numbered(_object(model.get("vocab"), "model.vocab"), _added(tree))
    unknown = pieces.index(_one_of("model.unk_token", model.get("unk_token"), *pieces))
    bert, names = None, ()
    made = tree.get("normalizer")
    if isinstance(made, dict) and made.get("type") == "BertNormalizer":
        options = {name: value for name, value in made.items() if name != "type"}
        bert = BertNormalization(**json_fields(options, tuple(asdict(BertNormalization())), what="BERT's normalizer"))
    else:
        names = _normalizers(made)
    return WordPieceTokenizer(
        pieces,
        unknown,
        tuple(sorted(reserved - {unknown})),
        bert,
        padding=padding,
        normalizers=(*normalize, *names),
    )


def _read_unigram(tree: _Tree, model: _Tree, normalize: Sequence[str], padding: bool) -> UnigramTokenizer:
    before = _object(tree.get("pre_tokenizer"), "pre_tokenizer")
    _one_of("pre_tokenizer.type", before.get("type"), "Metaspace")
    _one_of("pre_tokenizer.replacement", before.get("replacement"), _SPACE)
    _one_of("pre_tokenizer.split", before.get("split", True), True)
    scheme = _one_of("pre_tokenizer.prepend_scheme", before.get("prepend_scheme"), "always", "first", "never")
    decoder = _object(tree.get("decoder"), "decoder")
    steps = _list(decoder.get("decoders"), "decoder.decoders") if decoder.get("type") == "Sequence" else [decoder]
    for step in steps:
        known = ("Metaspace", "ByteFallback", "Fuse", "Replace", "Strip")
        _one_of("decoder.type", _object(step, "decoder").get("type"), *known)
    scored = json_scores(model.get("vocab"))
    vocab = {piece: at for at, (piece, _) in enumerate(scored)}
    pieces, reserved = _numbered(vocab, _added(tree))
    unknown, first_byte = model.get("unk_id"), None
    if model.get("byte_fallback"):
        first_byte = _one_of(
            "model.byte_fallback, without all bytes among the pieces,", vocab.get(BYTES[0]), *vocab.values()
        )
        if pieces[first_byte : first_byte + 256] != BYTES:
            raise _refused("model.byte_fallback, without all bytes among the pieces,", True, "false")
        reserved |= set() if unknown is None else {unknown}
    elif unknown is None:
        raise _refused("model.unk_id", None, "the place of a piece")
    scores = [score for _, score in scored] + [0.0] * (len(pieces) - len(scored))
    return UnigramTokenizer(
        tuple((piece.replace(_SPACE, " "), score) for piece, score in zip(pieces, scores, strict=True)),
        first_byte,
        None if first_byte is not None else unknown,
        tuple(sorted(reserved - {unknown} if first_byte is None else reserved)),
        scheme != "never",
        padding=padding,
        normalizers=(*normalize, *_normalizers(tree.get("normalizer"))),
    )


def _added(tree: _Tree) -> dict[int, str]:
    """The tokens that were added to a model, by id."""
    found: dict[int, str] = {}
    for token in _list(tree.get("added_tokens", []), "added_tokens"):
        fields = _object(token, "added_tokens")
        id, content = fields.get("id"), fields.get("content")
        if type(id) is not int or id < 0 or not isinstance(content, str):
            raise _refused("added_tokens", token, "objects with an id and a content")
        found[id] = content
    return found


def _numbered(vocab: _Tree, added: dict[int, str]) -> tuple[tuple[str, ...], set[int]]:
    """All pieces by id, those that were added included, and the ids of these."""
    if not all(type(id) is int for id in vocab.values()):
        raise _refused("model.vocab", "an id that is no integer", "an object of ids by piece")
    names = {id: piece for piece, id in vocab.items()}
    for id, content in added.items():
        if names.setdefault(id, content) != content:
            raise InputError(
                f"id {id} of a tokenizer.json is {reprlib.repr(names[id])} in model.vocab, {reprlib.repr(content)} in "
                "added_tokens"
            )
    missing = next((at for at in range(len(names)) if at not in names), None)
    if missing is not None or len(vocab) + len(added.keys() - {*vocab.values()}) != len(names):
        raise InputError(
            f"model.vocab and added_tokens of a tokenizer.json give no name to id {missing}, or two to one id"
        )
    return tuple(names[at] for at in range(len(names))), set(added)


def _merge(merge: object) -> tuple[str, str]:
    """Two pieces: a list of them, or as older files have it a text with a space between."""
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
        raise _refused("model.merges", merge, "a list of lists of two pieces")
    return parts[0], parts[1]


def _pattern(before: _Tree) -> str | None:
    """The regular expression of words, None where it is that of GPT-2."""
    if before.get("type") == "ByteLevel":
        _one_of("pre_tokenizer.add_prefix_space", before.get("add_prefix_space"), False)
        _one_of("pre_tokenizer.use_regex", before.get("use_regex", True), True)
        return None
    _one_of("pre_tokenizer.type", before.get("type"), "ByteLevel", "Sequence")
    steps = [
        _object(step, "pre_tokenizer") for step in _list(before.get("pretokenizers"), "pre_tokenizer.pretokenizers")
    ]
    if [step.get("type") for step in steps] != ["Split", "ByteLevel"]:
        raise _refused("pre_tokenizer.pretokenizers", [step.get("type") for step in steps], "Split and ByteLevel")
    split, byte_level = steps
    _one_of("pre_tokenizer.add_prefix_space", byte_level.get("add_prefix_space"), False)
    _one_of("pre_tokenizer.use_regex", byte_level.get("use_regex"), False)
    _one_of("pre_tokenizer.behavior", split.get("behavior"), "Isolated")
    _one_of("pre_tokenizer.invert", split.get("invert", False), False)
    pattern = _object(split.get("pattern"), "pre_tokenizer.pattern").get("Regex")
    if not isinstance(pattern, str):
        raise _refused("pre_tokenizer.pattern", pattern, "a Regex")
    return pattern


def _normalizers(made: object) -> tuple[str, ...]:
    """The names of `NORMALIZERS` that do what a file's do."""
    if made is None:
        return ()
    fields = _object(made, "normalizer")
    if fields.get("type") == "Sequence":
        return tuple(name for one in _list(fields.get("normalizers"), "normalizer") for name in _normalizers(one))
    return (_FORMS[_one_of("normalizer.type", fields.get("type"), *_FORMS)],)


def _object(value: object, field: str) -> _Tree:
    if not isinstance(value, dict):
        raise _refused(field, value, "an object")
    return value


def _list(value: object, field: str) -> list[Any]:
    if not isinstance(value, list):
        raise _refused(field, value, "a list")
    return value


def _one_of(field: str, value: Any, *known: Any) -> Any:
    """`value`, which must be one of `known`."""
    if not any(type(value) is type(one) and value == one for one in known):
        shown = ", ".join(map(json.dumps, known[:5])) + ", ..." * (len(known) > 5)
        raise _refused(field, value, shown)
    return value


def _refused(field: str, value: object, must: str) -> InputError:
    return InputError(
        f"{field} of a tokenizer.json is {reprlib.repr(value)}, by which texts would lose something in silence or have "
        f"other ids: it must be {must}"
    )
