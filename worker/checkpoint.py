"""Llama checkpoints: loading one, and making the small random one that serves by default."""

import contextlib
import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from forewarn.base.files import sync
from worker.errors import ModelError
from worker.tokens import BYTE_BOS, BYTE_EOS, BYTE_VOCABULARY, Tokenizer, load_tokenizer

log = logging.getLogger(__name__)

RANDOM_NAME = "forewarn-random-llama"
_RANDOM_DIRECTORY = "random-llama-1"
_RANDOM_SEED = 7471
_RANDOM_SHAPE = {
    "vocab_size": BYTE_VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 176,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "initializer_range": 0.2,
    "bos_token_id": BYTE_BOS,
    "eos_token_id": BYTE_EOS,
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to run, and what came with it."""

    model: LlamaForCausalLM
    tokenizer: Tokenizer
    name: str
    random: bool
    created: int
    end_tokens: frozenset[int]


def load(model: Path | None, data_dir: Path, device: str) -> Loaded:
    """The configured checkpoint, or the small random model, made on first use.

    Raises:
        ModelError: the checkpoint is missing, damaged, incomplete or of another architecture.
    """
    transformers_logging.disable_progress_bar()
    if model is None:
        directory, loaded = _load_random(data_dir, device)
    else:
        directory, loaded = model, _load(model, device)
    tokenizer = load_tokenizer(directory, loaded.config.vocab_size)
    return Loaded(
        model=loaded,
        tokenizer=tokenizer,
        name=RANDOM_NAME if model is None else directory.resolve().name,
        random=model is None,
        created=int((directory / "config.json").stat().st_mtime),
        end_tokens=_end_tokens(loaded),
    )


def _load_random(data_dir: Path, device: str) -> tuple[Path, LlamaForCausalLM]:
    """The random model and its directory; one that was damaged on the disk is made again."""
    directory = data_dir / "worker" / _RANDOM_DIRECTORY
    if directory.exists():
        try:
            return directory, _load(directory, device)
        except ModelError as error:
            log.warning("the default model is damaged and made again", extra={"reason": error.message})
    _make_random(directory)
    return directory, _load(directory, device)


def _load(directory: Path, device: str) -> LlamaForCausalLM:
    _check_config(directory / "config.json")
    try:
        model, report = LlamaForCausalLM.from_pretrained(
            directory,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32 if device == "cpu" else "auto",
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        said = str(error).strip().splitlines()[0]
        raise ModelError(
            f"cannot load the model in {directory}: {said}", hint="point worker.model at a safetensors checkpoint"
        ) from error
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"the checkpoint in {directory} lacks {len(missing)} weights, {missing[0]} among them",
            hint="copy all of its *.safetensors files and their index",
        )
    return model.to(device).eval().requires_grad_(requires_grad=False)


def _check_config(path: Path) -> None:
    try:
        kind = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            f"cannot read {path}: {error}", hint="worker.model is a checkpoint's directory, config.json in it"
        ) from error
    if kind != "llama":
        raise ModelError(f"{path} describes a model of type {kind!r}; the worker runs 'llama' models")


def _end_tokens(model: LlamaForCausalLM) -> frozenset[int]:
    ends = model.generation_config.eos_token_id if model.generation_config is not None else None
    ends = model.config.eos_token_id if ends is None else ends
    return frozenset([ends] if isinstance(ends, int) else ends or ())


def _make_random(directory: Path) -> None:
    """Write the random model beside its place and rename it, so that it is whole or not there."""
    fresh = directory.with_name(f"{_RANDOM_DIRECTORY}.new")
    try:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700, parents=True)
        _random_model().save_pretrained(fresh)
        for path in fresh.iterdir():
            path.chmod(0o600)
            sync(path)
        shutil.rmtree(directory, ignore_errors=True)
        fresh.rename(directory)
        sync(directory.parent)
    except OSError as error:
        raise ModelError(f"cannot write the default model to {directory}: {error.strerror}") from error
    log.info("made a small model with random weights", extra={"directory": str(directory), "seed": _RANDOM_SEED})


def _random_model() -> LlamaForCausalLM:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_RANDOM_SEED)
        return LlamaForCausalLM(LlamaConfig(**_RANDOM_SHAPE))
