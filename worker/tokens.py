"""Text to token ids and back: a checkpoint's own tokenizer.json, or one token a byte."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from worker.errors import ModelError

BYTE_VOCABULARY = 258
BYTE_BOS = 256
BYTE_EOS = 257


class Tokenizer(Protocol):
    """What the worker asks of a tokenizer."""

    def encode(self, text: str) -> list[int]:
        """Token ids of a prompt, with the model's mark of a beginning where it has one."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids; bytes that are no UTF-8 become U+FFFD, marks become nothing."""
        ...


class ByteTokenizer:
    """The 256 bytes, and a mark each for the beginning and the end."""

    def encode(self, text: str) -> list[int]:
        """The mark of the beginning, then the bytes of the text."""
        return [BYTE_BOS, *text.encode("utf-8", errors="replace")]

    def decode(self, ids: Sequence[int]) -> str:
        """The text whose bytes these are."""
        return bytes(token for token in ids if token < BYTE_BOS).decode("utf-8", errors="replace")


class FileTokenizer:
    """The tokenizer that lies beside a checkpoint, read by the ``tokenizers`` library."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer as Rust  # noqa: PLC0415  an extra

        try:
            self._rust = Rust.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for every fault of the file
            raise ModelError(f"cannot read {path}: {error}", hint="copy tokenizer.json from the model again") from error

    @property
    def size(self) -> int:
        """Number of token ids, marks included."""
        return int(self._rust.get_vocab_size(with_added_tokens=True))

    def encode(self, text: str) -> list[int]:
        """Token ids of a prompt, as the file's post-processor frames it."""
        return list(self._rust.encode(text).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, marks left out."""
        return str(self._rust.decode(list(ids), skip_special_tokens=True))


def load_tokenizer(directory: Path, vocabulary: int) -> Tokenizer:
    """The tokenizer of a checkpoint directory; bytes where it has none.

    Raises:
        ModelError: tokenizer.json is damaged, or does not fit the model's vocabulary.
    """
    path = directory / "tokenizer.json"
    if not path.exists():
        if vocabulary < BYTE_VOCABULARY:
            raise ModelError(
                f"{directory} has no tokenizer.json, and its vocabulary of {vocabulary} is too small for bytes",
                hint="copy tokenizer.json from the model",
            )
        return ByteTokenizer()
    tokenizer = FileTokenizer(path)
    if tokenizer.size > vocabulary:
        raise ModelError(
            f"{path} has {tokenizer.size} tokens, the model {vocabulary}", hint="copy both files from one model"
        )
    return tokenizer
