"""Where the model runs, and what the process environment must say before torch is imported."""

import os
import warnings

_QUIET_AND_LOCAL = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}


def prepare_environment(device: str, threads: int) -> None:
    """Make torch blind to GPUs unless one was asked for, and transformers local; before either is imported."""
    os.environ.update(_QUIET_AND_LOCAL)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def why_no_cuda() -> str | None:
    """Why torch cannot use a GPU, in one line; None where it can."""
    import torch  # noqa: PLC0415  an extra

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = torch.cuda.is_available()
    if not found:
        said = " ".join(str(caught[0].message).split()) if caught else "torch finds no CUDA device"
        return said.split(" (Triggered internally")[0]
    try:
        torch.ones(1, device="cuda").add_(1).item()
    except RuntimeError as error:  # a GPU that this build has no code for, or one without free memory
        return str(error).splitlines()[0]
    return None
