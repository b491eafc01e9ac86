"""The page docs/autoencoders.md: its example runs."""

from pages import blocks, read_page

PAGE = read_page("autoencoders.md")


def test_its_example_runs():
    (example,) = blocks(PAGE)
    exec(compile(example, "autoencoders.md", "exec"), {})
