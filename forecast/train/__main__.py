"""``python -m forecast.train``: make weights, or read how good they are. Needs torch to make them."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from forecast.train.series import OPEN_SETS, UNSEEN_SETS, Hourly, read_sets

WEIGHTS = Path(__file__).parent.parent / "weights"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m forecast.train", description=__doc__)
    parser.add_argument("task", nargs="?", choices=tuple(_TASKS), default="weights")
    parser.add_argument("--data", type=Path, required=True, help="folder of <set>.csv.gz")
    parser.add_argument("--out", type=Path, default=None, help="weights or, of evaluations, JSON")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--origins", type=int, default=24, help="of evaluations: windows a series at most")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    _TASKS[arguments.task](arguments)
    return 0


def _weights(arguments: argparse.Namespace) -> None:
    from forecast.train.making import make  # noqa: PLC0415

    out = arguments.out or WEIGHTS / "combiner.safetensors"
    make(read_sets(arguments.data, OPEN_SETS), out, arguments.seed)


def _breach(arguments: argparse.Namespace) -> None:
    from forecast.train.breach.making import make  # noqa: PLC0415

    make(read_sets(arguments.data, OPEN_SETS), arguments.out or WEIGHTS / "breach.safetensors", arguments.seed)


def _evaluate(arguments: argparse.Namespace) -> None:
    from forecast.train.evaluation import evaluate  # noqa: PLC0415

    _say(evaluate(_all_sets(arguments), arguments.origins), arguments.out)


def _evaluate_breach(arguments: argparse.Namespace) -> None:
    from forecast.train.breach.evaluation import evaluate  # noqa: PLC0415

    _say(evaluate(_all_sets(arguments), arguments.origins), arguments.out)


def _all_sets(arguments: argparse.Namespace) -> list[Hourly]:
    names = [name for name in (*OPEN_SETS, *UNSEEN_SETS) if (arguments.data / f"{name}.csv.gz").is_file()]
    return read_sets(arguments.data, names)


def _say(result: dict[str, Any], out: Path | None) -> None:
    text = json.dumps(result, indent=1)
    if out is not None:
        out.write_text(text + "\n")
    sys.stdout.write(text + "\n")


_TASKS = {"weights": _weights, "breach": _breach, "evaluate": _evaluate, "evaluate-breach": _evaluate_breach}


if __name__ == "__main__":
    sys.exit(main())
