"""The forms of tables of captions, and one line on what they must not hold."""

import json

import pytest

from jaxseq.data.caption_tables import Read, read_caption_table
from jaxseq.data.table_files import open_tables
from jaxseq.errors import InputError

COCO = {
    "info": {"year": 2017},
    "images": [
        {"license": 3, "file_name": "000000391895.jpg", "id": 391895, "height": 360, "width": 640},
        {"license": 4, "file_name": "000000522418.jpg", "id": 522418, "height": 480, "width": 640},
    ],
    "annotations": [
        {"image_id": 522418, "id": 1, "caption": "A woman cutting a cake. "},
        {"image_id": 391895, "id": 2, "caption": "A man on a motorbike.\n"},
        {"image_id": 522418, "id": 3, "caption": "A woman in a hair net."},
    ],
}


def read(tmp_path, name, text, *, picture_column="image", languages=()) -> Read:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    (found,) = [
        read_caption_table(table, picture_column=picture_column, languages=languages)
        for table in open_tables(str(path))
    ]
    return found


def triples(tmp_path, name, text, **options):
    return [(entry.picture, entry.language, entry.text) for entry in read(tmp_path, name, text, **options).captions]


def refusal(tmp_path, name, text, **options):
    with pytest.raises(InputError) as caught:
        read(tmp_path, name, text, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_columns_are_languages(tmp_path):
    table = "image\tenglish\tkorean\tkind\n1.png\t wave \t물결\tbase\n2.png\tsun\t해\tbase\n\n"
    both = [
        ("1.png", "english", "wave"),
        ("1.png", "korean", "물결"),
        ("2.png", "english", "sun"),
        ("2.png", "korean", "해"),
    ]
    assert triples(tmp_path, "a.tsv", table, languages=("english", "korean")) == both
    assert triples(tmp_path, "a.tsv", table, languages=("korean",)) == both[1::2]
    assert triples(tmp_path, "a.txt", table, languages=("english", "korean")) == both
    assert triples(tmp_path, "a.csv", table.replace("\t", ","), languages=("english", "korean")) == both
    lines = "".join(
        json.dumps({"image": f"{n}.png", "english": e, "korean": k, "kind": 1}) + "\n"
        for n, e, k in ((1, "wave", "물결"), (2, "sun", "해"))
    )
    assert triples(tmp_path, "a.jsonl", lines, languages=("english", "korean")) == both
    assert triples(tmp_path, "a.json", lines, languages=("english", "korean")) == both
    assert read(tmp_path, "a.tsv", table, languages=("korean",)).captions[1].place.endswith("a.tsv, line 3")


def test_a_caption_column_or_the_only_other_one_needs_no_name(tmp_path):
    wanted = [("1.png", "", "a sun"), ("1.png", "", "the sun, hot")]
    assert triples(tmp_path, "a.csv", 'image,caption\n1.png,a sun\n1.png,"the sun, hot"\n') == wanted
    assert triples(tmp_path, "a.csv", 'image,id,caption\n1.png,1,a sun\n1.png,2,"the sun, hot"\n') == wanted
    assert triples(tmp_path, "a.tsv", "image\tsaid\n1.png\ta sun\n1.png\tthe sun, hot\n") == wanted
    named = triples(tmp_path, "a.tsv", "file\tsaid\n1.png\ta sun\n", picture_column="file", languages=("said",))
    assert named == [("1.png", "said", "a sun")]
    message = refusal(tmp_path, "a.tsv", "image\tde\ten\n1.png\ta\tb\n")
    assert "a.tsv has several columns beside 'image': de, en: name those with captions by --data.languages" in message


def test_flickrs_first_form_has_no_header_and_five_captions_a_picture(tmp_path):
    lines = [
        f"{name}.jpg#{number}\tCaption {number} of {name} . \n" for name in ("10_a", "11_b") for number in range(5)
    ]
    wanted = [(f"{name}.jpg", "", f"Caption {n} of {name} .") for name in ("10_a", "11_b") for n in range(5)]
    assert triples(tmp_path, "Flickr8k.token.txt", "".join(lines)) == wanted
    named = triples(tmp_path, "a.tsv", "".join(lines), languages=("english",))
    assert named == [(picture, "english", text) for picture, _, text in wanted]
    message = refusal(tmp_path, "a.txt", "".join(lines), languages=("english", "korean"))
    assert "has captions of one language and no columns, and --data.languages names english, korean" in message


def test_flickr8ks_captions_of_what_is_no_picture_are_left_out_and_told(tmp_path):
    name = "2258277193_586949ec62.jpg"
    text = f"1.jpg#0\tone\n{name}.1#0\tsome people\n{name}.1#1\tmore people\n"
    found = read(tmp_path, "Flickr8k.token.txt", text)
    assert [entry.text for entry in found.captions] == ["one"]
    assert found.remark.startswith(f"2 captions are of {name}.1 or others that are no pictures by their names")
    assert found.remark.endswith("Flickr8k.token.txt, line 2")


def test_flickrs_newer_form_is_comma_separated_under_the_name_of_a_text(tmp_path):
    text = 'image,caption\n1.jpg,A child in a pink dress .\n1.jpg,"A girl , going in ."\n'
    assert triples(tmp_path, "captions.txt", text) == [
        ("1.jpg", "", "A child in a pink dress ."),
        ("1.jpg", "", "A girl , going in ."),
    ]


@pytest.mark.parametrize("indent", [None, 2])
def test_cocos_form_is_read_by_its_images(tmp_path, indent):
    text = json.dumps(COCO, indent=indent)
    assert triples(tmp_path, "captions_val2017.json", text) == [
        ("000000391895.jpg", "", "A man on a motorbike."),
        ("000000522418.jpg", "", "A woman cutting a cake."),
        ("000000522418.jpg", "", "A woman in a hair net."),
    ]
    assert triples(tmp_path, "c.json", text, languages=("en",))[0][1] == "en"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("images", None, "has no list of 'images', as COCO's files of captions have"),
        ("annotations", [1], "has no list of 'annotations'"),
        ("images", [{"id": 1}], "image 1 has no 'file_name'"),
        ("images", [{"id": True, "file_name": "a.jpg"}], "image 1 has no 'id'"),
        ("images", [*COCO["images"], {"id": 391895, "file_name": "b.jpg"}], "image 3 has the id 391895 of another one"),
        ("images", [*COCO["images"], {"id": 7, "file_name": "b.jpg"}], "has no caption of b.jpg (image 7)"),
        ("annotations", [{"image_id": 5, "caption": "a"}], "annotation 1 is of the image 5, which is not among its"),
        ("annotations", [{"image_id": 391895, "caption": 3}], "annotation 1 has no 'caption'"),
        (
            "annotations",
            [{"image_id": 391895, "caption": " \n"}],
            "annotation 1 has a caption without words: write one",
        ),
    ],
)
def test_what_is_wrong_in_cocos_form_is_told(tmp_path, key, value, message):
    assert message in refusal(tmp_path, "c.json", json.dumps({**COCO, key: value}))


def test_json_of_another_form_or_damaged_is_told(tmp_path):
    assert "is JSON of another form: give one object on each line, or COCO's" in refusal(tmp_path, "c.json", "{\n}\n")
    assert "is no JSON (" in refusal(tmp_path, "c.json", "{\n" + json.dumps(COCO)[:80])
    assert "c.json, line 1 is no JSON" in refusal(tmp_path, "c.json", json.dumps(COCO)[:80])
    assert "c.json, line 2 is no JSON" in refusal(tmp_path, "c.json", '{"image": "a.png", "caption": "b"}\n{"image"\n')
    assert "is no JSON" in refusal(tmp_path, "c.json", "[" * 100_000)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.tsv",
            "image\tcaption\n1.png\t  \n",
            "a.tsv, line 2 has a caption without words ('caption' is empty): write",
        ),
        ("a.csv", "image,caption\n1.png,a\n2.png,\n", "a.csv, line 3 has a caption without words"),
        ("a.txt", "1.png#0\ta\n2.png#0\t\n", "a.txt, line 2 has a caption without words: write one, or leave the line"),
        ("a.txt", "1.png#0\ta\n2.png\tb\n", "a.txt, line 2 begins with '2.png', no name#number of a picture"),
        ("a.tsv", "image\tcaption\n \ta\n", "a.tsv, line 2 names no picture ('image' is empty)"),
        ("a.tsv", "image\tcaption\n1.png\ta\n\n2.png\tb\n", "a.tsv, line 3 is empty: give it a picture and a caption"),
        (
            "a.tsv",
            "file\tcaption\n1.png\ta\n",
            "a.tsv has no column 'image', its columns are file, caption: name one by",
        ),
        ("a.tsv", "image\tcaption\n1.png\n", "a.tsv, line 2 has 1 field, the first line names 2 columns"),
        ("a.tsv", "", "a.tsv begins with no line that names its columns"),
        ("a.jsonl", '{"image": "1.png", "caption": ""}\n', "a.jsonl, line 1 has a caption without words"),
        ("a.jsonl", '{"image": "1.png", "caption": ["a"]}\n', "line 1: 'caption' is a list, no text and no number"),
    ],
)
def test_the_line_that_cannot_be_used_is_named(tmp_path, name, text, message):
    assert message in refusal(tmp_path, name, text)


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path):
    message = refusal(tmp_path, "a.tsv", "image\tcaption\n1.png\ta\n", languages=("korean",))
    assert "a.tsv has no column 'korean', its columns are image, caption: name one by --data.picture-column" in message
