"""Passwords that no name and sign stand before: in commands, sentences, statements of SQL, lists of variables."""

import re

from logship.shaping.rule import NO_SECRET, PROSE, QUOTED, Rule, triggers

_WORD = rb"(?:'([^'\n]*)'?|\"([^\"\n]*)\"?|([^\s'\"|;&<>()-][^\s'\"|;&<>()]*))"
_COMMANDS = (
    (rb"mysql(?:dump|admin|import|check|sh|slap|show|binlog)?|mariadb(?:-\w+)?", rb"-p"),
    (
        rb"sshpass|mongo(?:sh|dump|restore|export|import)?|(?:docker|podman|nerdctl|registry|oc|az)[ \t]login",
        rb"-p[ \t=]?",
    ),
    (rb"ipmitool", rb"-P[ \t]?"),
    (rb"ldap(?:search|modify|add|delete|whoami|passwd)", rb"-w[ \t]?"),
    (rb"redis-cli(?= )", rb"-a[ \t]"),
)
"""Programs, and the option that takes a password; behind ``mysql -p`` and a blank stands the name of a database."""


def _command(names: bytes, option: bytes) -> bytes:
    one = rb"(?<![\w-])(?<!name )(?<!name=)(?<!show )(?<!install )(?:" + names + rb")(?:[ \t]|[\"'],? ?)"
    return one + rb"(?:(?!" + one + rb")[^|;&\n]){0,400}?(?<=[ \"'])" + option + rb"(?!\d{1,5}:\d{1,5}\b)" + _WORD


_SPOKEN = rb"(?i:password|passphrase)"
_MIXED = rb"(?=[^\s,;&\"'(){}]{0,64}\d)(?=[^\s,;&\"'(){}]{0,64}[A-Za-z])(?!\d+[A-Za-z]{1,3}\b)"
"""Letters and digits, not the number of something."""
_PLACE = rb"(?!(?:[~./]|[A-Za-z]:\\))"
_LAST = rb"(?=[.,;!)]*[ \t]*(?:[\r\n\"'}\]]|\Z)|[,;][ \t])"
"""Nothing of the sentence follows."""
_ENV = (
    rb"[A-Za-z0-9_]{0,64}?(?i:password|passwd|secret|token|api_?key|access_?key|private_?key|master_?key|_pass)"
    rb"(?!_?(?:" + NO_SECRET + rb"|COUNT)(?![A-Z0-9])|IZER)[A-Z0-9_]{0,16}"
)

_NAMED = triggers(b"pass", valued=True)
_PASS = triggers(b"pass=", b"pass:")

SPOKEN = (
    Rule(
        "password",
        re.compile(rb"|".join(_command(*row) for row in _COMMANDS)),
        (*triggers(b" -p", b'"-p', b"'-p"), *triggers(b"redis-cli ", b"ldap", alone=True)),
    ),
    Rule(
        "password",
        re.compile(
            rb"(?<![\w-])--?(?:store|key|src|dest|dst)?pass[ \t]+(?!-|\d{1,4}\b)(?:"
            + QUOTED
            + rb"|"
            + PROSE
            + rb"([^\s\"']+))"
        ),
        _NAMED,
    ),
    Rule("password", re.compile(rb"(?<![\w-])-pass(?:in|out)?[ =]pass:([^\s\"']+)"), _PASS),
    Rule(
        "password",
        re.compile(
            _SPOKEN
            + rb" (?i:is)(?:[ \t]*[:=][ \t]*"
            + PROSE
            + rb"(?:"
            + QUOTED
            + rb"|([^\s\"',;]+))|[ \t]+(?:"
            + QUOTED
            + rb"|("
            + _MIXED
            + rb"[^\s\"',;]{4,256}?)"
            + _LAST
            + rb"))"
        ),
        triggers(b"password is", b"passphrase is"),
    ),
    Rule(
        "password",
        re.compile(
            rb"(?i:temporary password|generated password|initial password) "
            rb"(?:[^\s:]{1,64}[ \t]+){0,6}[^\s:]{1,64}:[ \t]+(?!\d{1,6}[a-z]{0,2}(?!\w))"
            + PROSE
            + rb"([^\s\"']+)[ \t]*(?=[\r\n\"']|\Z)"
        ),
        triggers(b"temporary password ", b"generated password ", b"initial password "),
    ),
    Rule(
        "password",
        re.compile(
            rb"(?<![\w-])(?i:pwd|passcode)[ \t]*[:=][ \t]*"
            + PROSE
            + _PLACE
            + rb"(?!\d{1,4}(?:\.\d+)?[a-z%]{0,2}(?!\w))(?:\"([^\"\\]+)\"|'([^'\\]+)'|([^\s\"',;&(){}]{1,256}+)"
            + _LAST
            + rb")"
        ),
        triggers(b"pwd", b"passcode", valued=True),
    ),
    Rule(
        "password",
        re.compile(
            rb"(?i:(?<![A-Za-z0-9])(?:user(?:name)?|login|uid|usr)(?:[ \t]{0,8}[=:][ \t]{0,8}|[ \t]{1,8})"
            rb"[^\s=:,;&\"']{1,64}[\s,;&]{1,4}pass)[:=][ \t]*(?!\d{1,4}(?!\w))([^\s,;&\"']+)"
        ),
        _PASS,
    ),
    Rule(
        "password",
        re.compile(rb"(?<![\w-])[Pp]ass:[ \t]*(?!\d{4}-\d\d-\d\d)" + _MIXED + rb"([^\s,;&\"'(){}]{6,256})" + _LAST),
        _PASS,
    ),
    Rule(
        "password",
        re.compile(
            rb"(?i:(?<![\w.])(?<!using )password(?: (?:for[ \t]+\S{1,128}[ \t]+)?(?:=[ \t]*)?|\()"
            rb"|identified (?:with[ \t]+\S{1,64}[ \t]+)?(?:by|(?<=[ \t])as)[ \t]+)"
            rb"(?:(?i:password)[ \t]+)?(?:[Ee]?'([^'\\\n]+)|\"([^\"\\\s]+))"
        ),
        triggers(
            b"password '",
            b'password "',
            b"password e'",
            b"password('",
            b"set password for",
            b"identified by",
            b"identified with",
        ),
    ),
    Rule(
        "password",
        re.compile(
            rb"(?i:(?<![\w-])requirepass )[ \t]*\"?" + PROSE + rb"([^\s\"']+)"
            rb"|\"(?i:auth)\" \"((?:[^\"\\]|\\.)*)\"(?: \"((?:[^\"\\]|\\.)*)\")?"
        ),
        triggers(b"requirepass ", b'"auth" "'),
    ),
    Rule(
        "password",
        re.compile(rb"<[\w:.-]{0,40}(?i:password|secret)>([^<>\s][^<>]*)</"),
        triggers(b"password>", b"secret>"),
    ),
    Rule(
        "api_key",
        re.compile(
            rb"(?i:name)\\*[\"']?:[ \t]?\\*[\"']?"
            + _ENV
            + rb"(?:,(?i:value):|\\*\", ?\\*\"(?i:value)\\*\":|', '(?i:value)':)[ \t]?"
            rb"(?:\\*[\"']([^\"'\\]+)|([^\s\"',}\\][^\s,}]*))"
        ),
        triggers(
            b",value:", b'","value":', b'", "value":', b"', 'value':", b'","value\\', b', \\"value\\', b',\\"value\\'
        ),
    ),
    Rule(
        "api_key",
        re.compile(rb"\(b[\"'][\w-]{0,40}(?i:api-?key|password|secret|token)(?:', b'|\", b\")([^\"']+)[\"']\)"),
        triggers(b"', b'", b'", b"'),
    ),
)
"""In the order in which they are applied, behind those for names with values."""
