"""BLEU of a translator on tokenized text, as papers had it before sacrebleu.

    python -m benchmarks.tokenized_bleu runs/multi30k_en_de "data/multi30k/test_2016_flickr.en*" \
        "data/multi30k/test_2016_flickr.de*" --language de

Translations and references are both lower-cased and cut by the Moses tokenizer (the package sacremoses), and BLEU is
that of the tokens as they are (sacrebleu's "none"). Figures of Multi30k that are called tokenized were measured so, on
text that was prepared so (Wu et al. 2021). That of sacrebleu's own tokenizer on the same translations stands beside it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxseq import runtime
from jaxseq.data import PairSource, read_pairs
from jaxseq.errors import InputError
from jaxseq.metrics.translation import bleu, require_packages
from jaxseq.runs.translation import translate_run


def moses(texts: Sequence[str], language: str) -> list[str]:
    """Each text lower-cased, its tokens by the Moses tokenizer with a space between.

    Raises:
        InputError: there is no sacremoses.
    """
    try:
        from sacremoses import MosesTokenizer
    except ImportError as error:
        raise InputError("the Moses tokenizer needs the package sacremoses: pip install 'jaxseq[bench]'") from error
    tokenizer = MosesTokenizer(lang=language)
    return [tokenizer.tokenize(text.lower(), return_str=True, escape=False) for text in texts]


def main() -> int:
    """Translates, and prints both figures."""
    parser = argparse.ArgumentParser(description="BLEU of a translator on tokenized text.")
    parser.add_argument("run", type=Path, help="run directory of a translator")
    parser.add_argument("source", help="sentences, compressed or not; a glob may stand for the file")
    parser.add_argument("target", help="their translations, line by line")
    parser.add_argument("--language", default="de", help="of the translations, as Moses names it")
    arguments = parser.parse_args()
    runtime.configure()
    try:
        pairs = read_pairs(PairSource(arguments.source, arguments.target))
        references = moses(pairs.targets, arguments.language)
        require_packages("13a")
        made = [found.hypotheses[0].text for found in translate_run(arguments.run, pairs.sources)]
        print(bleu(hypotheses=moses(made, arguments.language), references=references, tokenize="none"))
        print(bleu(hypotheses=made, references=pairs.targets, lowercase=True))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
