"""What decoding and resizing the pictures of a batch anew for every training step would cost, beside the step.

    python -m benchmarks.picture_decoding                                   configs/emoji_captions.py
    python -m benchmarks.picture_decoding configs/emoji_captions.py --size 32 32

A run decodes each picture once, when it starts, into one array of bytes; what its loader costs from then on is the last
column (`benchmarks/loader_share.py` says how that is measured, and where pictures are looked for). Decoding is timed on
one core, the bytes of files in memory.
"""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.loader_share import CONFIGS, seconds_per_step
from jaxseq import runtime
from jaxseq.config import CaptionsConfig, load_config
from jaxseq.data.picture_files import find_pictures
from jaxseq.data.pictures import decode_picture
from jaxseq.errors import InputError
from jaxseq.signals import never


def seconds_per_picture(data: CaptionsConfig, size: tuple[int, int] | None) -> float:
    """Mean over all pictures of a source, brought to `size` where there is one."""
    files = find_pictures(data.source, option="--data.source", poll=never)
    contents = [(place, content) for _, place, content in files.contents(files.pictures, never)]
    start = time.perf_counter()
    for place, content in contents:
        decode_picture(content, place=place, size=size, channels=data.channels, resize=size is not None)
    return (time.perf_counter() - start) / len(contents)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="*", type=Path, default=[CONFIGS / "emoji_captions.py"])
    parser.add_argument("--size", nargs=2, type=int, help="height and width that pictures are brought to")
    parser.add_argument("--dispatches", type=int, default=20, help="calls of the compiled function to time")
    options = parser.parse_args()
    runtime.configure()
    print(f"{'config':20}{'decoding':>22}{'a batch':>12}{'step':>12}{'share':>9}{'loader':>12}{'share':>9}")
    for path in options.configs:
        try:
            data = load_config(path)[0].data
            if not isinstance(data, CaptionsConfig):
                raise InputError(f"{path} has no files of pictures: give a configuration with data of kind captions")
            own = data.size if any(data.size) else None
            decoding = seconds_per_picture(data, tuple(options.size) if options.size else own)
            loading, training = seconds_per_step(path, dispatches=options.dispatches)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        batch = decoding * data.batch_size
        print(
            f"{path.stem:20}{decoding * 1e6:12.0f} us/picture{batch * 1e3:9.2f} ms{training * 1e3:9.2f} ms"
            f"{batch / training:9.2%}{loading * 1e6:9.1f} us{loading / training:9.2%}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
