"""What a stack trace says: the error's type and message, the trace without what its writer put before each line.

Fields: https://www.elastic.co/docs/reference/ecs/ecs-error
"""

import re
from typing import NamedTuple

_HEAD = b"Traceback (most recent call last)"
_RAISED = re.compile(rb"([A-Za-z_][\w.]*)(?:: ?(.*))?", re.DOTALL)
_JAVA = re.compile(
    rb"^(?:Exception in thread \"[^\"\n]*\" )?(?:[^\n]{0,200}?[ :])?"
    rb"([a-zA-Z_$][\w$]*(?:\.[\w$]+)+(?:Exception|Error|Throwable|Failure))(?:: ([^\n]*))?\n\s+at ",
    re.MULTILINE,
)
_PANIC = re.compile(rb"^(panic|fatal error): ([^\n]*)", re.MULTILINE)
_PREFIX = re.compile(
    rb"\[rank\d+\]: |(?:\([^)\n]{1,90}\) )?(?:[A-Z]{4,8} \d\d-\d\d \d\d:\d\d:\d\d \[[^\]\n]{1,60}\](?: |\Z))?"
)
"""As kinds.prefix_of()."""
_GOROUTINE = b"\ngoroutine "


class Trace(NamedTuple):
    """An error and where it came from."""

    kind: bytes
    message: bytes
    stack: bytes


def trace_of(text: bytes) -> Trace | None:
    """The error of a joined document; None where it holds no stack trace."""
    if _HEAD in text or b'  File "' in text:
        return _python(text)
    found = _JAVA.search(text)
    if found:
        return Trace(found[1], found[2] or b"", text[found.start(1) :])
    found = _PANIC.search(text)
    if found and _GOROUTINE in text:
        return Trace(found[1], found[2], text[found.start() :])
    return None


def _python(text: bytes) -> Trace | None:
    lines = [_bare(line) for line in text.split(b"\n")]
    heads = [k for k, line in enumerate(lines) if _HEAD in line]
    frames = [k for k, line in enumerate(lines) if line.lstrip().startswith(b'File "')]
    if not frames:
        return None
    begin = heads[0] if heads else frames[0]
    lines[begin] = lines[begin][max(lines[begin].find(_HEAD), 0) :]
    raised = frames[-1] + 1
    while raised < len(lines) and lines[raised][:1] in {b" ", b"\t"}:
        raised += 1
    said = b"\n".join(lines[raised:]).rstrip()
    found = _RAISED.match(said)
    if found is None:
        return None
    return Trace(found[1], (found[2] or b"").strip(), b"\n".join(lines[begin:]).rstrip())


def _bare(line: bytes) -> bytes:
    found = _PREFIX.match(line)
    return line[found.end() if found else 0 :].removesuffix(b"\r")
