"""The configuration as it may be shown: without secrets, and as TOML."""

import re
from typing import Any

_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY_SECRET = re.compile(r"(?i)([?&](?:access_token|token|key|secret|password|sign)=)[^&\s]+")
HIDDEN = "<redacted>"


def redacted(value: Any) -> Any:
    """The value with credentials in URLs hidden; secret types hide themselves when they are dumped."""
    if isinstance(value, dict):
        return {key: redacted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [redacted(each) for each in value]
    if isinstance(value, str):
        return _QUERY_SECRET.sub(rf"\g<1>{HIDDEN}", _USERINFO.sub(f"{HIDDEN}@", value))
    return value


def to_toml(data: dict[str, Any]) -> str:
    """TOML of nested tables; what is not set (null) becomes a comment."""
    return "\n".join(_table(data, ())).strip()


def _table(data: dict[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [_line(key, value) for key, value in data.items() if not _is_table(value)]
    for key, value in data.items():
        name = ".".join((*path, key))
        if isinstance(value, dict):
            lines += ["", f"[{name}]", *_table(value, (*path, key))]
        elif _is_table(value):
            for each in value:
                lines += ["", f"[[{name}]]", *_table(each, (*path, key))]
    return lines


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _line(key: str, value: Any) -> str:
    return f"# {key} is not set" if value is None else f"{key} = {literal(value)}"


def literal(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(literal(each) for each in value)}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return f'"{escaped}"'
    return str(value)
