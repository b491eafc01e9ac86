import pytest
from small_classifiers import write_table


@pytest.fixture
def tables(tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    write_table(folder / "train.csv", 200)
    write_table(folder / "test.csv", 41, seed=1)
    return folder
