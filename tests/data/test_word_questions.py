"""Files of pairs and of analogies: their kinds are seen in them, and what is wrong is told by its line."""

import gzip

import pytest

from jaxseq.data.word_questions import Analogies, WordPairs, read_word_questions
from jaxseq.errors import InputError


def read(folder, content, name="questions.txt"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_word_questions(folder / name)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("# WordSim\n# Word 1\tWord 2\tHuman (mean)\nlove\tsex\t6.77\ntiger\ttiger\t10.00\n", 2),
        ("Word 1,Word 2,Human (mean)\nlove,sex,6.77\ntiger,tiger,10", 2),
        ("word1\tword2\tPOS\tSimLex999\tconc(w1)\r\nlove\tsex\tA\t6.77\t2.72\r\ntiger\ttiger\tA\t10\t9\r\n", 2),
        ("love sex 6.77\n\n  tiger   tiger 1e1 7\n", 2),
        ("\ufefflove;sex;6.77\ntiger;tiger;10\n", 2),
    ],
    ids=["WordSim-353", "with commas", "SimLex-999", "with spaces", "with semicolons"],
)
def test_pairs_are_read_with_the_first_number_behind_them(tmp_path, text, pairs):
    found = read(tmp_path, text)
    assert isinstance(found, WordPairs)
    assert found.pairs == [("love", "sex", 6.77), ("tiger", "tiger", 10.0)]


def test_words_of_pairs_may_hold_spaces_between_tabs_and_other_letters(tmp_path):
    assert read(tmp_path, "뉴 욕\tnew york\t7\n").pairs == [("뉴 욕", "new york", 7.0)]


def test_analogies_are_read_by_sections(tmp_path):
    found = read(tmp_path, ": capitals\nAthens Greece Oslo Norway\n\n: gram1 odd\na b\tc d\r\ne f g h")
    assert isinstance(found, Analogies)
    assert found.sections == [
        ("capitals", [("Athens", "Greece", "Oslo", "Norway")]),
        ("gram1 odd", [("a", "b", "c", "d"), ("e", "f", "g", "h")]),
    ]


def test_compressed_files_are_read_as_they_are(tmp_path):
    content = gzip.compress(b"love\tsex\t6.77\n")
    assert read(tmp_path, content, "pairs.tsv.gz").pairs == [("love", "sex", 6.77)]


def test_the_published_files_have_all_that_is_known_of_them(data_folder):
    folder = data_folder / "word_similarity"
    if not folder.exists():
        pytest.skip(f"no questions in {folder}")
    wordsim = read_word_questions(folder / "wordsim353.tsv").pairs
    simlex = read_word_questions(folder / "SimLex-999.txt").pairs
    sections = read_word_questions(folder / "questions-words.txt").sections
    assert (len(wordsim), len(simlex), len(sections)) == (353, 999, 14)
    assert sum(len(questions) for _, questions in sections) == 19_544
    assert wordsim[0] == ("love", "sex", 6.77)
    assert simlex[0] == ("old", "new", 1.58)
    assert min(figure for *_, figure in wordsim + simlex) >= 0
    assert max(figure for *_, figure in wordsim + simlex) == 10


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("love\tsex\t6.77\nlove\tsex\n", "line 2: 'love\\tsex' is no pair of words with a number behind it"),
        ("love\tsex\tmuch\nlove\tsex\tmore\n", "line 2: 'love\\tsex\\tmore' is no pair"),
        ("a b c\n", "holds no pairs of words with a number, and no analogies"),
        ("", "holds no pairs of words"),
        ("# nothing\n", "holds no pairs of words"),
        ("love\tsex\tnan\nlove\tsex\tinf\n", "line 2"),
        ("the 0.418 0.24968 -0.41242\nof 0.7 0.5 0.1\n", "line 2: 'of 0.7 0.5 0.1' is no pair"),
        (": a\nAthens Greece Oslo\n", "line 2: an analogy is four words, 'Athens Greece Oslo' has 3"),
        (": a\na b c d e\n", "has 5"),
        (b"love\tsex\t6.77\nlov\xe9\tsex\t6\n", "line 2 is not valid UTF-8 (byte 0xe9)"),
        (b"\x89PNG\r\n\x1a\n and more", "is a picture, no file of pairs or analogies: leave it out"),
        (gzip.compress(b"love\tsex\t6.77\n"), "is a gzip file"),
    ],
)
def test_a_file_that_is_none_is_one_line_that_names_the_place(tmp_path, content, told):
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert told in str(caught.value)
    assert "questions.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_so_is_none_at_all_or_a_folder(tmp_path):
    with pytest.raises(InputError, match=r"none\.tsv cannot be read"):
        read_word_questions(tmp_path / "none.tsv")
    with pytest.raises(InputError, match="is a folder: give a file of pairs"):
        read_word_questions(tmp_path)
