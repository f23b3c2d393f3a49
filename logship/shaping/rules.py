"""What is masked unless it is switched off: secrets by their looks, values of telling names, prompts."""

import re
from dataclasses import dataclass

from logship.shaping.settings import RedactSettings
from logship.shaping.triggers import Trigger

PRIVATE_KEY = "private_key"
_QUOTED = rb"\"((?:[^\"\\]|\\.)*)\"?|'((?:[^'\\]|\\.)*)'?"
_IS = rb"\\*[\"']?\s*[:=]\s*"
"""Between a name and its value, also in an object within a text."""
_VALUE = (
    _IS
    + rb"(?!(?:[Nn]one|null|[Tt]rue|[Ff]alse)\b)(?:"
    + _QUOTED
    + rb"|\\+[\"']((?:[^\"'\\]|\\+[^\"'\\]|\\{3}[\"'])+)"
    + rb"|([^\s,;&\"'()\[\]{}\\](?:[^\s,;&\"'()\[\]{}\\]|\\(?![\"'\\]))*))"
)
_LIST = _IS + rb"(\[\s*[\"'][^\[\]{}]*)"
_ARGUMENT = rb"[ \t]+(?!-)(?:" + _QUOTED + rb"|([^\s\"']+))"
_TOKEN = _IS + rb"(?:\\*[\"'])?((?=[A-Za-z_-]{20}|[A-Za-z._~+/=-]{0,255}\d)[\w.~+/=-]{12,})"
_API_KEY = rb"(?i:api[_-]?key|access[_-]?key|account[_-]?key|secret(?:[_-]?(?:access[_-]?)?key)?)"
_OPTION = rb"--(?<![\w-]--)[\w-]{0,40}?"
"""Begins with what is searched for quickly."""
_PASSWORD = rb"(?i:password|passwd|passphrase)"
_SPOKEN = rb"(?:prompt|content|input|instructions)"


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must not leave the node.

    Attributes:
        name: of the rule.
        pattern: its groups, or its whole where it has none, are masked.
        triggers: lines in which none of them stands are not searched; none: every line is.
        group: the only group that is masked; None: those that took part.
        inner: in what was found only the groups of this one are masked.
        prompts: whether it is for logs of requests only.
        quoted: the trigger for which a quoted text right behind it is all that is masked.
    """

    name: str
    pattern: re.Pattern[bytes]
    triggers: tuple[Trigger, ...]
    group: int | None = None
    inner: re.Pattern[bytes] | None = None
    prompts: bool = False
    quoted: bytes = b""


def _triggers(*texts: bytes, alone: bool = False, valued: bool = False) -> tuple[Trigger, ...]:
    return tuple(Trigger(text, alone=alone, valued=valued) for text in texts)


_PASSWORDS = _triggers(b"password", b"passwd", b"passphrase", valued=True)
_API_KEYS = _triggers(
    b"api_key", b"apikey", b"api-key", b"access_key", b"accesskey", b"access-key", b"account_key", b"accountkey",
    b"account-key", b"secret", valued=True,
)  # fmt: skip

DEFAULT = (
    Rule(
        "bearer",
        re.compile(rb"(?i:bearer)[ \t]+((?=[A-Za-z._~+/=-]*\d|[A-Za-z._~+/=-]{24})[\w.~+/=-]{8,})"),
        _triggers(b"bearer ", b"bearer\t"),
    ),
    Rule("openai_key", re.compile(rb"(?<!\w)sk-([A-Za-z0-9_-]{16,})"), _triggers(b"sk-", alone=True)),
    Rule("huggingface_token", re.compile(rb"(?<!\w)hf_([A-Za-z0-9]{16,})"), _triggers(b"hf_", alone=True)),
    Rule(
        "github_token",
        re.compile(rb"(?<!\w)(?:gh[opsur]_|github_pat_)([A-Za-z0-9_]{20,})"),
        _triggers(b"ghp_", b"gho_", b"ghs_", b"ghu_", b"ghr_", b"github_pat_", alone=True),
    ),
    Rule("aws_key", re.compile(rb"(?<!\w)(?:AKIA|ASIA)([A-Z0-9]{16})(?!\w)"), _triggers(b"akia", b"asia", alone=True)),
    Rule(
        "jwt",
        re.compile(rb"(?<!\w)(eyJ[\w-]{8,2048}\.[\w-]{8,}(?:\.[\w-]*)?)"),
        _triggers(b"eyj", alone=True),
    ),
    Rule(
        "vendor_key",
        re.compile(rb"(?<!\w)(?:glpat-|nvapi-)([\w-]{16,})|(?<!\w)AIza([\w-]{35})"),
        _triggers(b"glpat-", b"nvapi-", b"aiza", alone=True),
    ),
    Rule(
        "authorization",
        re.compile(
            rb"(?i:authorization)"
            rb"\\*[\"']?\s*[:=,]\s*(?:b?\\*[\"'])?(?i:basic|apikey|token|key|negotiate)[ \t]+([^\s,\"'\\]{6,})"
        ),
        _triggers(b"authorization"),
    ),
    Rule(
        "cookie",
        re.compile(rb"(?i:cookie)\\*[\"']?\s*:\s*(?:\\*[\"'])?([^\s=;\"'\\]{1,256}=[^\"'\\]*)"),
        _triggers(b"cookie"),
    ),
    Rule("password", re.compile(_PASSWORD + _VALUE), _PASSWORDS),
    Rule("password", re.compile(_OPTION + _PASSWORD + _ARGUMENT), _PASSWORDS),
    Rule("api_key", re.compile(_API_KEY + _VALUE), _API_KEYS),
    Rule("api_key", re.compile(_API_KEY + _LIST), _API_KEYS, inner=re.compile(_QUOTED)),
    Rule("api_key", re.compile(_OPTION + _API_KEY + _ARGUMENT), _API_KEYS),
    Rule("token", re.compile(rb"(?i:token)" + _TOKEN), _triggers(b"token", valued=True)),
    Rule(
        "url_login",
        re.compile(rb"://[^\s/:@\"']*:([^\s/\"']+)@"),
        (Trigger(b"://", then=ord("@")),),
    ),
    Rule(
        "url_signature",
        re.compile(rb"(?i:x-(?:amz|goog)-signature)=([^&\s\"']+)"),
        _triggers(b"-signature="),
    ),
    Rule(
        "curl_login",
        re.compile(
            rb"\bcurl [^|;]{0,400}?(?<=\s)(?:-u|--user|--proxy-user)[ =]?"
            rb"(?:'[^':]{0,256}:([^']+)|\"[^\":]{0,256}:([^\"]+)|[^\s:\"'-][^\s:\"']{0,256}:([^\s\"']+))"
        ),
        _triggers(b"curl ", alone=True),
    ),
    Rule(
        "vllm_prompt",
        re.compile(rb"\bprompt: (?:" + _QUOTED + rb")|\bprompt_token_ids: \[([^\]]*)"),
        _triggers(b"prompt: ", b"prompt_token_ids: ["),
        quoted=b"prompt: ",
    ),
    Rule(
        "vllm_output",
        re.compile(rb"\boutput: (?:" + _QUOTED + rb"), output_token_ids: (?:\w*\(?\[([^\]]*))?"),
        _triggers(b"generated response "),
    ),
    Rule(
        "prompt_object",
        re.compile(rb"\b(?:prompt|text)=(?:" + _QUOTED + rb")|\b(?:\w*token_ids|input_ids)=[\[(]([^\])]*)"),
        _triggers(b"requestoutput(", b"completionoutput(", b"generatereqinput("),
    ),
    Rule(
        "prompt_json",
        re.compile(rb"\"" + _SPOKEN + rb"\"\s*:\s*(?:\"((?:[^\"\\]|\\.)*)|(\[[^\[\]{}]*))"),
        _triggers(b'"prompt"', b'"content"', b'"input"', b'"instructions"'),
        inner=re.compile(rb"\A([^\[].*)|\"((?:[^\"\\]|\\.)*)\"?", re.DOTALL),
        prompts=True,
    ),
    Rule(
        "prompt_in_text",
        re.compile(rb"\\\"" + _SPOKEN + rb"\\\"\s*:\s*\\\"((?:[^\"\\]|\\[^\"\\]|\\\\\\\"|\\\\(?!\\\"|\"))*)"),
        _triggers(b'"prompt\\', b'"content\\', b'"input\\', b'"instructions\\'),
        prompts=True,
    ),
    Rule(
        "prompt_query",
        re.compile(rb"[?&](?:prompt|input|query|q)=([^&\s\"']+)"),
        _triggers(b"prompt=", b"input=", b"query=", b"&q=", b"?q="),
        prompts=True,
    ),
)
"""In the order in which they are applied; what one has masked the next ones see masked."""
KEY_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
KEY_END = re.compile(rb"-----END [A-Z0-9 ]*PRIVATE KEY")
KEY_LINE = re.compile(rb"[A-Za-z0-9+/=]{1,128}|(?:Proc-Type|DEK-Info|Version|Comment|Hash): [^\n]{1,128}|")
"""A line of a key in PEM: RFC 1421, RFC 7468, RFC 4880."""
KEY_TRIGGER = Trigger(b"-----begin ")


def rules_of(settings: RedactSettings) -> list[Rule]:
    """The rules that are applied, private keys aside."""
    own = [
        Rule(
            rule.name,
            re.compile(rule.pattern.encode()),
            (Trigger(rule.trigger.encode()),) if rule.trigger else (),
            rule.group,
        )
        for rule in settings.rule
    ]
    return [rule for rule in (*DEFAULT, *own) if rule.name not in settings.off]
