"""``python -m forecast.train``: make the combiner's weights, or read how good they are. Needs torch to make them."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from forecast.train.series import OPEN_SETS, UNSEEN_SETS, read_sets

WEIGHTS = Path(__file__).parent.parent / "weights" / "combiner.safetensors"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m forecast.train", description=__doc__)
    parser.add_argument("task", nargs="?", choices=("weights", "evaluate"), default="weights")
    parser.add_argument("--data", type=Path, required=True, help="folder of <set>.csv.gz")
    parser.add_argument("--out", type=Path, default=None, help="weights or, of evaluate, JSON")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--origins", type=int, default=24, help="of evaluate: windows a series at most")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    if arguments.task == "evaluate":
        return _evaluate(arguments)
    from forecast.train.making import make  # noqa: PLC0415

    make(read_sets(arguments.data, OPEN_SETS), arguments.out or WEIGHTS, arguments.seed)
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from forecast.train.evaluation import evaluate  # noqa: PLC0415

    names = [name for name in (*OPEN_SETS, *UNSEEN_SETS) if (arguments.data / f"{name}.csv.gz").is_file()]
    result = evaluate(read_sets(arguments.data, names), arguments.origins)
    text = json.dumps(result, indent=1)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n")
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
