"""Requests and answers of POST /v1/completions, in OpenAI's shape.

Format: the completions API of OpenAI's reference, and of it what the worker can do. A field that the worker does not
know is refused rather than ignored; fields of features that it lacks are accepted at their neutral values.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from worker.errors import RequestError
from worker.sequence import Finish

_TokenId = Annotated[int, Field(ge=0, strict=True)]
_StopText = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class StreamOptions(BaseModel):
    """What a stream tells beside its text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool = False


class CompletionRequest(BaseModel):
    """The body of POST /v1/completions.

    ``ignore_eos``, an extension that vLLM has too, goes on past the model's mark of an end: a canary then always asks
    for the same work.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: str | list[str] | list[_TokenId] | list[list[_TokenId]]
    model: str | None = None
    max_tokens: int | None = Field(default=16, ge=1)
    temperature: float | None = Field(default=1.0, ge=0, le=2)
    top_p: float | None = Field(default=1.0, ge=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: _StopText | Annotated[list[_StopText], Field(max_length=4)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    ignore_eos: bool = False
    user: str | None = None
    n: Literal[1] | None = 1
    best_of: Literal[1] | None = 1
    echo: Literal[False] | None = False
    logprobs: None = None
    suffix: None = None
    presence_penalty: Literal[0] | None = 0
    frequency_penalty: Literal[0] | None = 0
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None

    @property
    def prompts(self) -> list[str | list[int]]:
        """The prompts one by one, as text or as token ids."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        if self.prompt and isinstance(self.prompt[0], int):
            return [[token for token in self.prompt if isinstance(token, int)]]
        return [one for one in self.prompt if not isinstance(one, int)]

    @property
    def stops(self) -> list[str]:
        """The stop strings."""
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or ())


def parse_request(body: bytes) -> CompletionRequest:
    """A request from its JSON.

    Raises:
        RequestError: the body is no JSON, or a field is unknown or out of range.
    """
    try:
        return CompletionRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        if not first["loc"]:
            raise RequestError(f"the body is no completion request: {first['msg']}") from error
        field = str(first["loc"][0])
        raise RequestError(f"{field}: {first['msg']}", param=field) from error


def choice(index: int, text: str, finish: Finish | None) -> dict[str, Any]:
    """One prompt's (part of an) answer."""
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """What a request took."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
