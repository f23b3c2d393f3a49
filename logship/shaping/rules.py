"""What is masked unless it is switched off: secrets by their looks, values of telling names, prompts."""

import re

from logship.shaping.rule import ARGUMENT, FIELD, IS, NO_SECRET, QUOTED, VALUE, Rule, triggers
from logship.shaping.settings import RedactSettings
from logship.shaping.spoken import SPOKEN
from logship.shaping.triggers import Trigger

PRIVATE_KEY = "private_key"
_LIST = IS + rb"(?=\[[\s\[{]*\\*[\"'])"
_OBJECT = FIELD + rb"(?=\{\s*\\*[\"'])"
_LONG_TOKEN = rb"(?=[A-Za-z_-]{20}|[A-Za-z._~+/=-]{0,63}\d)[\w.~+/=-]{12,}"
_TOKEN = (
    IS + rb"(?:\\*[\"'])?(" + _LONG_TOKEN + rb"|(?=[A-Za-z._~+/=-]{0,10}\d)(?=[\d._~+/=-]{0,10}[A-Za-z])[\w.~+/=-]{8,})"
)
"""A short one has letters and digits: numbers of tokens are none."""
_SUFFIX = (
    rb"(?:_(?:(?!(?:" + NO_SECRET + rb")(?![A-Z0-9]))[A-Z0-9][A-Z0-9_]{0,10}"
    rb"|prod|production|staging|stage|dev|test|live|old|new|\d{1,3}))?"
)
"""What it is for, as variables of the environment have it: PASSWORD_PROD, API_KEY_2."""
_API_KEY = (
    rb"(?i:api[_-]?key|access[_-]?key|account[_-]?key|secret(?:[_-]?(?:access[_-]?)?key)?|(?:master|encryption|signing)_?key|fernet_key"
    rb"|azure_storage_key|(?:private[_-]?|certificate[_-])key(?!" + IS + rb"(?:\\*[\"'])?(?:[~./]|-----)))" + _SUFFIX
)
_OPTION = rb"-(?<![\w-]-)-?(?!no-)[\w-]{0,40}?"
"""Begins with what is searched for quickly."""
_PASSWORD = rb"(?i:password|passwd|passphrase)" + _SUFFIX
_PASS = (
    rb"(?i:(?<=[A-Za-z0-9]_)pass"
    + _SUFFIX
    + rb"|(?:(?<![A-Za-z0-9])pwd|(?<=[?&\"'])pass)(?=[=\"'\\]))(?="
    + FIELD
    + rb"(?!(?:\\*[\"'])?(?:[~./]|[A-Za-z]:\\|\d{1,4}(?:\.\d+)?[a-z%]{0,2}(?!\w))))"
)
"""Not where a shell is, nor how many tests passed."""
_HEADER = rb"(?<![\w-])(?i:(?:x-(?:[a-z]{1,16}-){0,3}|private-|deploy-|job-)token)"
_SPOKEN = (
    rb"(?:(?:system_|user_|negative_)?prompts?|prompt_token_ids|(?:reasoning_)?content|inputs?|input_(?:ids|text)"
    rb"|instructions?|texts?|text_(?:input|output)|generated_text|query|queries|documents?|passages?|messages"
    rb"|sentences|source_sentence|suffix|arguments|system(?!\\*[\"']?\s*[:=]\s*\{))"
)
"""Names of what is said to a model and of what it says: OpenAI, TGI, Triton, KServe, rerankers."""


_PASSWORDS = triggers(b"pass", valued=True)
_API_KEYS = triggers(
    b"api_key", b"apikey", b"api-key", b"access_key", b"accesskey", b"access-key", b"account_key", b"accountkey",
    b"account-key", b"secret", b"private_key", b"privatekey", b"private-key", b"master_key", b"masterkey",
    b"encryption_key", b"encryptionkey", b"signing_key", b"signingkey", b"fernet_key", b"storage_key",
    b"certificate_key", b"certificate-key", valued=True,
)  # fmt: skip
_VENDORS = triggers(
    b"glpat-", b"nvapi-", b"aiza", b"xox", b"sk_live_", b"sk_test_",
    b"rk_live_", b"rk_test_", b"whsec_", b"npm_", b"pypi-", b"dckr_pat_", b"hvs.", b"gsk_",
    b"api_org_", alone=True,
)  # fmt: skip
_TOKENS = triggers(b"token", valued=True)
_SAID = triggers(
    b"prompt", b"content", b"input", b"instruction", b"text", b"query", b"queries", b"document", b"passage",
    b"messages", b"sentence", b"suffix", b"arguments", b"system", valued=True,
)  # fmt: skip

DEFAULT = (
    Rule(
        "bearer",
        re.compile(rb"(?i:bearer)[ \t]+((?=[A-Za-z._~+/=-]*\d|[A-Za-z._~+/=-]{24})[\w.~+/=-]{8,})"),
        triggers(b"bearer ", b"bearer\t"),
    ),
    Rule("openai_key", re.compile(rb"(?<!\w)sk-([A-Za-z0-9_-]{16,})"), triggers(b"sk-", alone=True)),
    Rule("huggingface_token", re.compile(rb"(?<!\w)hf_([A-Za-z0-9]{16,})"), triggers(b"hf_", alone=True)),
    Rule(
        "github_token",
        re.compile(rb"(?<!\w)(?:gh[opsur]_|github_pat_)([A-Za-z0-9_]{20,})"),
        triggers(b"ghp_", b"gho_", b"ghs_", b"ghu_", b"ghr_", b"github_pat_", alone=True),
    ),
    Rule("aws_key", re.compile(rb"(?<!\w)(?:AKIA|ASIA)([A-Z0-9]{16})(?!\w)"), triggers(b"akia", b"asia", alone=True)),
    Rule(
        "jwt",
        re.compile(rb"(?<![\w-])(eyJ[\w-]{8,}+\.[\w-]{8,}(?:\.[\w-]*){0,3})"),
        triggers(b"eyj", alone=True),
    ),
    Rule(
        "vendor_key",
        re.compile(
            rb"(?<!\w)(?:(?:glpat-|nvapi-)([\w-]{16,})|AIza([\w-]{35})|xox[abeps]-([\w-]{10,})"
            rb"|(?:[rs]k_(?:live|test)_|whsec_)([A-Za-z0-9]{10,})|npm_([A-Za-z0-9]{30,})|pypi-([\w-]{50,})"
            rb"|dckr_pat_([\w-]{20,})|hvs\.([\w-]{20,})|gsk_([A-Za-z0-9]{30,})"
            rb"|api_org_([A-Za-z0-9]{20,}))"
        ),
        _VENDORS,
    ),
    Rule(
        "webhook",
        re.compile(
            rb"(?i:hooks\.slack\.com/(?:services|workflows|triggers)|webhook\.office\.com/webhookb2|/api/webhooks/\d+)"
            rb"/([\w/@-]+)|(?i:api\.telegram\.org/bot)\d+:([\w-]+)"
        ),
        triggers(b"hooks.slack.com/", b"webhook.office.com/", b"/api/webhooks/", b"api.telegram.org/"),
    ),
    Rule(
        "authorization",
        re.compile(
            rb"(?i:authorization)"
            rb"\\*[\"']?\s*[:=,]\s*\[?(?:b?\\*[\"'])?(?:(?i:basic|apikey|token|key|negotiate)[ \t]+([^\s,\"'\\\]]{6,})"
            rb"|(?i:bearer)[ \t]+([^\s,\"'\\\]]{6,})(?=[ \t]*(?:[\r\n\"',;\\\]]|\Z))"
            rb"|(?i:digest|hawk|signature|aws4-hmac-sha256)[ \t][^\r\n]{0,1000}?\b(?i:response|mac|signature)="
            rb"\\*[\"']?([\w+/=.-]{6,})"
            rb"|((?=[A-Za-z.~+/=-]{0,64}\d)[\w.~+/=-]{16,512}+)(?=[ \t]*(?:[\r\n\"',;\\\]]|\Z)))"
        ),
        triggers(b"authorization"),
    ),
    Rule(
        "cookie",
        re.compile(rb"(?i:cookie)\\*[\"']?\s*:\s*\[?(?:\\*[\"'])?([^\s=:;,\"'\\]{1,256}=[^\"'\\]*)"),
        triggers(b"cookie"),
    ),
    Rule("password", re.compile(_PASSWORD + VALUE), _PASSWORDS),
    Rule("password", re.compile(_PASSWORD + rb"(?:" + _LIST + rb"|" + _OBJECT + rb")"), _PASSWORDS, deep=True),
    Rule("password", re.compile(_OPTION + _PASSWORD + ARGUMENT), _PASSWORDS),
    Rule("password", re.compile(_PASS + VALUE), (*_PASSWORDS, *triggers(b"pwd", valued=True))),
    *SPOKEN,
    Rule("api_key", re.compile(_API_KEY + VALUE), _API_KEYS),
    Rule("api_key", re.compile(_API_KEY + _LIST), _API_KEYS, deep=True),
    Rule("api_key", re.compile(_OPTION + _API_KEY + ARGUMENT), _API_KEYS),
    Rule("token", re.compile(rb"(?i:token)" + _TOKEN), _TOKENS),
    Rule("token", re.compile(_HEADER + VALUE), _TOKENS),
    Rule("token", re.compile(_OPTION + rb"(?i:token)[ \t]+[\"']?(" + _LONG_TOKEN + rb")"), _TOKENS),
    Rule(
        "token",
        re.compile(rb"[?&](?i:(?:access|auth|refresh|id|api|session|csrf|sas)_?)?(?i:token)=([^&\s\"'\\]+)"),
        _TOKENS,
    ),
    Rule(
        "url_login",
        re.compile(
            rb"://(?:[^\s/:\"']*:([^\s/\"']+)@|[^\s/:\"'@\[]*:(?!\d+/)([^\s\"'@/]{0,62}/[^\s\"'@]{0,62})@(?=[\w.\[-]))"
        ),
        (Trigger(b"://", then=ord("@")),),
    ),
    Rule(
        "url_signature",
        re.compile(rb"(?:(?i:x-(?:amz|goog)-signature)|(?:[?&;]|u0026)(?:sig|[Ss]ignature))=([^&\s\"'\\]+)"),
        triggers(b"signature=", b"sig="),
    ),
    Rule(
        "curl_login",
        re.compile(
            rb"\bcurl (?:(?!curl )[^|;]){0,400}?(?<=\s)(?:-u|--user|--proxy-user)[ =]?"
            rb"(?:'[^':]{0,256}:([^']+)|\"[^\":]{0,256}:([^\"]+)|[^\s:\"'-][^\s:\"']{0,256}:([^\s\"']+))"
        ),
        triggers(b"curl ", alone=True),
    ),
    Rule(
        "private_key",
        re.compile(
            rb"(?<![\w+/=])LS0tLS1CRUdJTiB(?:[SE]U0EgUFJJVk|QR1AgUFJJVk|QUklWQVRF|FQyBQUklW|FTkNSWVBURUQg|PUEVOU1NIIFBS)([A-Za-z0-9+/=]+)"
            rb"|(?<![\w+/=])eyJhdXRocyI([A-Za-z0-9+/=]{16,})"
        ),
        triggers(b"ls0tls1crudjtib", b"eyj", alone=True),
    ),
    Rule(
        "authorization",
        re.compile(rb"\"auth\\?\":[ \t]?\\*[\"']([A-Za-z0-9+/]{16,1024}+={0,2})\\*[\"']"),
        triggers(b'"auth":', b'"auth\\":'),
    ),
    Rule(
        "vllm_prompt",
        re.compile(rb"\bprompt: (?:" + QUOTED + rb")|\bprompt[_ ]token[_ ]ids: \[([^\]]*)"),
        triggers(b"prompt: ", b"prompt_token_ids: [", b"prompt token ids: ["),
        quoted=b"prompt: ",
    ),
    Rule(
        "vllm_output",
        re.compile(rb"\boutput: (?:" + QUOTED + rb"), output_token_ids: (?:\w*\(?\[([^\]]*))?"),
        triggers(b"generated response "),
    ),
    Rule(
        "prompt_object",
        re.compile(
            rb"\b(?:prompt|text)=(?:"
            + QUOTED
            + rb")|(?<=\{)'text': (?:"
            + QUOTED
            + rb")|\b(?:\w*token_ids|(?:in|out)put_ids)(?:=|': )[\[(]([^\])]*)"
        ),
        triggers(b"requestoutput(", b"completionoutput(", b"reqinput(", b"enginecorerequest("),
    ),
    Rule(
        "prompt_json",
        re.compile(rb"\b(?=[acdgimnpqrstu]\w++" + IS + rb"(?:\\*[\"']|[\[{(]))" + _SPOKEN + IS),
        _SAID,
        prompts=True,
        deep=True,
    ),
    Rule(
        "prompt_query",
        re.compile(rb"[?&](?:prompt|inputs?|text|query|q)=([^&\s\"']+)"),
        triggers(b"prompt=", b"input=", b"inputs=", b"text=", b"query=", b"&q=", b"?q="),
        prompts=True,
    ),
)
"""In the order in which they are applied; what one has masked the next ones see masked."""


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
