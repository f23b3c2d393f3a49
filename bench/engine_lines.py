"""Lines of an inference server, as the benchmarks of the engine read them."""

import random

LINES = 8000
NOW = 1_770_000_000_000
REST = {"host": {"name": "node"}, "event": {"dataset": "bench"}, "ecs": {"version": "8.17.0"}}
_LEVELS = ("INFO", "INFO", "INFO", "INFO", "DEBUG", "WARNING", "ERROR")
_TEXTS = (
    'Received request cmpl-{a:08x}: prompt: "Hello", params: SamplingParams(n=1, temperature=0.{b}), seq={c:08d}',
    "Avg prompt throughput: {b}.{b} tokens/s, Running: {b} reqs, Waiting: 0 reqs, KV cache usage: {b}%, seq={c:08d}",
    "Finished request cmpl-{a:08x} after {b} ms with {b} tokens, seq={c:08d}, stop reason length",
    '10.0.0.{b}:{b} - "POST /v1/chat/completions HTTP/1.1" 200 OK seq={c:08d} trace={a:08x}',
)


def chunk() -> bytes:
    rnd = random.Random(1)
    lines = []
    for n in range(LINES):
        text = rnd.choice(_TEXTS).format(a=rnd.getrandbits(32), b=rnd.randrange(10, 100), c=n)
        clock = f"2026-02-02 02:40:{n // 400 % 60:02d},{n * 5 // 2 % 1000:03d}"
        lines.append(f"{clock} {rnd.choice(_LEVELS)} [engine.py:{rnd.randrange(100, 999)}] {text}\n")
    return "".join(lines).encode()
