"""Which few bytes of each text to look for, and which of them share a bucket: such that logs rarely have them.

A table of 16 entries for the lower half of a byte and another for its upper half, one bit for each of eight buckets:
where the bits of both tables agree for four bytes in a row, a text may stand. (The idea is Teddy's, of Hyperscan:
https://www.usenix.org/system/files/nsdi19-wang-xiang.pdf , section 5.) Texts that share a bucket also find each other's
mixtures, so how often each choice finds anything is reckoned from pairs of bytes in what logs look like.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logship.engine.documents import Bytes

BUCKETS = 8
WIDTH = 4
"""Bytes of a text that are looked for; of a text of three the last may be any."""
SMALL = 0x20
"""What small letters have, and capitals have not."""
_LETTERS = 128
_PASSES = 2
"""How often a bucket is chosen for each: first among few, then among all."""
_EACH = 1e-4
"""What one more choice costs, as the others of its bucket mix with it, beside how often it is found itself."""
_UNSEEN = 6.0
"""Weight of how often a byte stands anywhere against how often it stands behind another one."""
_USUAL = (
    b"2026-02-02 02:40:00,123 INFO [engine.py:271] Received request cmpl-0a1b2c3d: params: SamplingParams(n=1,"
    b" temperature=0.7, top_p=1.0, max_tokens=256), prompt_token_ids: None, lora_request: None.\n"
    b"INFO 01-01 12:00:00 [metrics.py:455] Avg prompt throughput: 12.3 tokens/s, Running: 3 reqs, GPU KV cache usage\n"
    b'10.0.0.1 - - [02/Feb/2026:02:40:00 +0000] "POST /v1/chat/completions HTTP/1.1" 200 512 "-" "python-httpx/0.27"\n'
    b"Feb  2 02:40:00 node kernel: NVRM: Xid (PCI:0000:17:00): 79, pid=1234, GPU has fallen off the bus.\n"
    b'I0202 02:40:00.123456 1 controller.go:114] "Starting" name="reconcile" namespace=default key=value user=root\n'
    b'{"time":"2026-02-02T02:40:00Z","level":"info","msg":"request finished","status":200,"path":"/health","ms":12}\n'
    b"Failed password for invalid user test from 10.0.0.1 port 1234 ssh2; connection closed; error=timeout after 30\n"
    b"org.apache.hadoop.mapred.Task: Committing block blk_-160 /user/data/task_201 terminating the executor thread\n"
)

Rates = NDArray[np.float64]


def small(text: bytes) -> Bytes:
    """A text with letters as small ones (and some signs as others)."""
    return np.frombuffer(text, np.uint8) | np.uint8(SMALL)


def _numbers(letters: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Small letters without the bit that all of them have: 128 of them."""
    return (letters & 31 | letters >> 6 << 5).astype(np.int64)


class Buckets:
    """The choice for some texts.

    Args:
        texts: of three bytes at least.

    Attributes:
        places: where in each text the bytes stand that are looked for.
        numbers: the bucket of each.
    """

    def __init__(self, texts: Sequence[bytes]) -> None:
        usual = _Usual()
        letters = [small(text).tobytes() for text in texts]
        self.places = _shared(letters, usual)
        looked = [text[at : at + WIDTH] for text, at in zip(letters, self.places, strict=True)]
        often_first = sorted(set(looked), key=lambda one: (-usual.rate(one), one))
        chosen: dict[bytes, int] = {}
        for one in often_first * _PASSES:
            chosen.pop(one, None)
            buckets = np.zeros((BUCKETS, WIDTH, 2, 16), np.bool_)
            for other, number in chosen.items():
                buckets[number] |= _halves(other)
            chosen[one] = int(np.argmin(usual.spots(buckets | _halves(one)) - usual.spots(buckets)))
        self.numbers = [chosen[one] for one in looked]


class _Usual:
    """How often bytes stand in a row: each by the one before it, in what logs look like."""

    def __init__(self) -> None:
        text = _numbers(small(_USUAL))
        alone = np.bincount(text, minlength=_LETTERS) + 0.1
        self._alone: Rates = alone / alone.sum()
        pairs = np.bincount(text[:-1] * _LETTERS + text[1:], minlength=_LETTERS**2).reshape(_LETTERS, _LETTERS)
        self._next: Rates = (pairs + _UNSEEN * self._alone) / (pairs.sum(1, keepdims=True) + _UNSEEN)

    def rate(self, looked: bytes) -> float:
        """Of a place, to hold these letters."""
        numbers = _numbers(np.frombuffer(looked, np.uint8))
        return float(self._alone[numbers[0]] * self._next[numbers[:-1], numbers[1:]].prod())

    def spots(self, buckets: NDArray[np.bool_]) -> Rates:
        """Of a place, to be found by each bucket."""
        found = np.broadcast_to(self._alone, (len(buckets), _LETTERS))
        for k in range(WIDTH):
            lower, upper = buckets[:, k, 0, None, :], buckets[:, k, 1, :8, None]
            found = (found @ self._next if k else found) * (lower & upper).reshape(-1, _LETTERS)
        return np.asarray(found.sum(1))


def _shared(letters: Sequence[bytes], usual: _Usual) -> list[int]:
    """Where the bytes stand in each text that are looked for: rare ones, and the same in many texts."""
    owners: dict[bytes, dict[int, int]] = {}
    for number, text in enumerate(letters):
        for at in reversed(_places(text)):
            owners.setdefault(text[at : at + WIDTH], {})[number] = at
    rates = {looked: usual.rate(looked) for looked in owners}
    places: dict[int, int] = {}
    while len(places) < len(letters):
        best = min(owners, key=lambda looked: (rates[looked] + _EACH / len(owners[looked]), looked))
        chosen = owners.pop(best)
        places |= chosen
        for one in list(owners):
            left = {number: at for number, at in owners[one].items() if number not in chosen}
            if left:
                owners[one] = left
            else:
                del owners[one]
    return [places[number] for number in range(len(letters))]


@lru_cache(maxsize=1024)
def _halves(looked: bytes) -> NDArray[np.bool_]:
    """The lower and the upper half of each letter's number, as tables."""
    found = np.zeros((WIDTH, 2, 16), np.bool_)
    for k, number in enumerate(_numbers(np.frombuffer(looked, np.uint8))):
        found[k, (0, 1), (number & 15, number >> 4)] = True
    found[len(looked) :] = True
    return found


def _places(text: bytes) -> range:
    return range(max(1, len(text) - WIDTH + 1))
