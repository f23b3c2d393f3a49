"""What can be configured of the bundled inference worker."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from forewarn.base.address import Address
from forewarn.base.types import Seconds, Settings


def _on_loopback(listen: str) -> str:
    if not Address.parse(listen).loopback:
        raise ValueError(f"{listen!r} is not on loopback; the worker knows no users, so it listens on 127.0.0.1 only")
    return listen


class WorkerSettings(Settings):
    """The bundled inference worker: a process of its own that answers completions."""

    enabled: bool = Field(default=True, description="Run the bundled worker.")
    device: Literal["cpu", "cuda"] = Field(
        default="cpu",
        description="Where the model runs. 'cuda' takes GPU memory from what is watched; without a usable GPU the"
        " worker says so and runs on the CPU.",
    )
    model: Path | None = Field(
        default=None,
        description="Directory of a Llama checkpoint (config.json, *.safetensors and, where it has one,"
        " tokenizer.json). Without it, a small randomly initialised model is made in the data directory.",
    )
    listen: Annotated[str, AfterValidator(_on_loopback)] = Field(
        default="127.0.0.1:7471", description="Address of the HTTP server, loopback only; port 0 takes a free one."
    )
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads of one model step.")
    nice: int = Field(default=19, ge=0, le=19, description="Niceness of the process; 19 yields to everything else.")
    min_batch: int = Field(default=8, ge=1, le=1024, description="Sequences that decode together while few wait.")
    max_batch: int = Field(default=64, ge=1, le=1024, description="Sequences that decode together at most.")
    max_waiting: int = Field(
        default=256, ge=1, le=100_000, description="Sequences that may wait; more are refused with status 429."
    )
    max_tokens: int = Field(default=512, ge=1, le=131_072, description="Most tokens that one request may ask for.")
    kv_cache_tokens: int = Field(
        default=16_384,
        ge=64,
        le=16_777_216,
        description="Tokens, of prompts and answers, whose keys and values are held at one time.",
    )
    prefill_tokens: int = Field(
        default=2_048,
        ge=16,
        le=1_048_576,
        description="Prompt tokens that one model step takes in; a longer prompt goes alone.",
    )
    request_timeout: Seconds = Field(
        default=30.0, gt=0, le=3_600, description="Time from a request's arrival to its answer, then status 504."
    )

    @model_validator(mode="after")
    def _ordered(self) -> "WorkerSettings":
        if self.min_batch > self.max_batch:
            raise ValueError(f"min_batch ({self.min_batch}) is over max_batch ({self.max_batch})")
        return self
