"""The identity of an alert as Alertmanager computes it."""

from collections.abc import Mapping

_OFFSET = 0xCBF29CE484222325
_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF


def fingerprint(labels: Mapping[str, str]) -> str:
    """FNV-1a, 64 bit, over the label pairs sorted by name; 16 lower-case hex digits.

    Each pair goes in as name, byte 0xFF, value, byte 0xFF (``model/signature.go`` of prometheus/common).
    """
    digest = _OFFSET
    for name in sorted(labels):
        for byte in b"%b\xff%b\xff" % (name.encode(), labels[name].encode()):
            digest = ((digest ^ byte) * _PRIME) & _MASK
    return f"{digest:016x}"
