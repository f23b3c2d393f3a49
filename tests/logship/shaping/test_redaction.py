"""What must not leave the node is masked, in place, and nothing else."""

import json
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.patterns.compiled import AVAILABLE
from logship.shaping.keys import OUTSIDE, Inside
from logship.shaping.redaction import Redactor, _spans, begins_inside
from logship.shaping.rule import Rule
from logship.shaping.rules import DEFAULT
from logship.shaping.settings import RedactSettings, RuleSettings

FAST = [pytest.param(True, marks=pytest.mark.skipif(not AVAILABLE, reason="no numba"), id="fast"), False]
KEY = (
    b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n"
    b"MIIEvQIBADANBgkqhkiG9w0BAQEF\r\nAASCBKcwggSjAgEAAoIBAQ==\n-----END RSA PRIVATE KEY-----\n"
)
SECRETS = [
    ("bearer", b"upstream said Bearer <abc123.def-456_ghi~jk>, x"),
    ("openai_key", b"key sk-<proj-ABCDEFGHIJKLMNOP1234> used"),
    ("huggingface_token", b'HF_TOKEN "hf_<abcdefghijklmnopqrst>"'),
    ("github_token", b"https://ghp_<abcdefghijklmnopqrst1234>@github.com"),
    ("aws_key", b"AKIA<IOSFODNN7EXAMPLE> there"),
    ("jwt", b"cookie=<eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.abc-_>;"),
    ("password", b"login user=x PASSWORD=<hunter2>, next"),
    ("password", b'{"password": "<a \\" b>", "n": 1}'),
    ("api_key", b"--api-key=<xyz> --port 1"),
    ("api_key", b"{'secret_access_key': '<wJalr>'}"),
    ("token", b"GET /x?token=<abcdefgh1234> HTTP/1.1"),
    ("token", b'{"access_token":"<abcdefghijklmnopqrstuvwx>","expires_in":3600}'),
    ("token", b'body="{\\"access_token\\": \\"<abcdefgh1234>\\"}"'),
    ("token", b"refresh_token = <abcdefgh1234>"),
    ("token", b"access_token  =\t<abcdef0123456789>"),
    ("token", b"token\t   : <abcdef0123456789>"),
    ("bearer", b"AUTH\tbearer\t<abcdefgh1234>"),
    ("api_key", b"account_key: <abcd1234>"),
    ("url_login", b"postgres://user:<p:w>@db/x"),
    ("url_login", b"postgres://user@server:<Password1>@host/db"),
    ("url_login", b"postgres://user:<p@ssw0rd>@db:5432/x"),
    ("url_login", b"https://ci:<" + b"x1" * 2000 + b">@registry/x"),
    ("vendor_key", b"NGC: nvapi-<abcdefghijklmnopqrstuvwxyz-_1234>"),
    ("vendor_key", b"glpat-<abcdefghijklmnopqrst> and"),
    ("vendor_key", b"GET /v1?key=AIza<SyA1234567890abcdefghijklmnopqrstuv>&x=1"),
    ("vendor_key", b"slack xoxb-<12345678901-abcdefghijkl> x"),
    ("vendor_key", b"STRIPE sk_live_<abcdefghijklmnopqrst>, rk_test_<abcdefghijklmnopqrst>"),
    ("vendor_key", b"npm_<abcdefghijklmnopqrstuvwxyz0123456789> hvs.<CAESIabcdefghijklmnopq>"),
    ("webhook", b"POST https://hooks.slack.com/services/<T000/B000/XXXXXXXXXXXX> 200"),
    ("webhook", b"https://discord.com/api/webhooks/123456789/<abc-DEF_123>"),
    ("url_signature", b"PUT /c/b?sv=2022&sig=<ab%2Fcd%3D>&se=2026"),
    ("url_signature", b'"/c/b?sig=<ab%2Fcd%3D>"'),
    ("password", b'{"password":["<hunter2>", "<b [x] c>"], "user": "u"}'),
    ("password", b'{"password":{"value":"<hunter2>"}, "user": "u"}'),
    ("password", b'{"password":{"value":"<hunter2>"}}'.replace(b'"', b'\\"')),
    ("password", b"passwords: password=[<hunter2>]"),
    ("password", b"mysql MYSQL_PWD=<hunter2> DB_PASS=<hunter2> PASSWORD_PROD=<hunter2> smtp_pass_2: x"),
    ("password", b"Server=db;Uid=u;Pwd=<hunter2>;"),
    ("password", b"POST /x?user=u&pass=<hunter2>&n=1"),
    ("password", b"password=<a&b> and password=<x>&user=joe"),
    ("api_key", b"API_KEY_PROD=<abcdef123456> private_key=<abcdef>"),
    ("token", b"X-Auth-Token: <abcd>, X-Vault-Token: <s.x>, private-token: <y>"),
    ("token", b"token=<abc12345>"),
    ("token", b"GET /x?a=1&token=<abc> HTTP/1.1"),
    ("token", b"GET /x?access_token=<HuXvDgMIJsZxdELa>&n=1"),
    ("token", b"run --token <INLK4vsUltxfzeJnHhVWi0nfwP6SMkJ1> now"),
    ("authorization", b"Authorization: Bearer <abc.def.ghi>"),
    ("authorization", b'{"Authorization":"Bearer <HuXvDgMIJsZxdELa>"}'),
    ("authorization", b'Proxy-Authorization: Digest username="u", realm="x", response="<6629fae49393a0>"'),
    ("authorization", b"Authorization: AWS4-HMAC-SHA256 Credential=x/us/s3, Signature=<fe5f80f77d5f>"),
    ("authorization", b"Headers(Authorization:[Basic <dXNlcjpwYXNz>])"),
    ("authorization", b"Authorization: Basic <dXNlcjpwYXNzd29yZA==>"),
    ("authorization", b"{'authorization': 'ApiKey <VnVhQ2ZHY0JDZGJrUW0=>', 'n': 1}"),
    ("authorization", b"headers=[(b'authorization', b'Basic <dXNlcjpw>')]"),
    ("cookie", b"Set-Cookie: <sessionid=abcdef; Path=/>"),
    ("cookie", b'{"cookie": "<a=b; c=d>", "n": 1}'),
    ("password", b'body="{\\"password\\": \\"<hunter2>\\", \\"user\\": 1}"'),
    ("password", b'{"a":"{\\"password\\":\\"<x\\\\\\"y>\\",\\"n\\":1}"}'),
    ("password", b"password=<corp\\hunter2> next"),
    ("password", b"COMMAND=/usr/bin/mysqldump --password <hunter2> -u root"),
    ("api_key", b"vllm serve m --api-key <abcd-1234> --port 1"),
    ("api_key", b"non-default args: {'api_key': ['<one>', '<two>'], 'model': 'm'}"),
    ("api_key", b"Namespace(api_key=['<one>'], port=8000)"),
    ("api_key", b"AccountKey=<abcd1234==>;EndpointSuffix=core"),
    ("url_signature", b"GET /k?X-Amz-Date=1&X-Amz-Signature=<fe5f80f77d5f>&x=1"),
    ("curl_login", b"CMD (curl -s -u admin:<hunter2> https://x)"),
    ("curl_login", b"curl --user 'admin:<hunter 2>' x"),
    (
        "vllm_output",
        b"Generated response chatcmpl-1: output: '<It\\'s>', output_token_ids: [<1, 2>], finish_reason: stop",
    ),
    (
        "prompt_object",
        b"RequestOutput(request_id=0, prompt='<Hello>', outputs=[CompletionOutput(index=0, text='<you>')])",
    ),
    ("prompt_object", b"Receive: obj=GenerateReqInput(rid='1', text='<Hello>', input_ids=[<1, 2>])"),
    ("vllm_prompt", b"request cmpl-1: prompt: '<Hello \\'you\\' there>', params: SamplingParams(n=1)"),
    ("vllm_prompt", b'request cmpl-1: prompt: "<it\'s>", prompt_token_ids: None'),
    ("vllm_prompt", b"prompt_token_ids: [<1, 2, 3>], lora"),
]
SPOKEN_SECRETS = [
    b"mysql -uroot -p<hunter2> db",
    b"COMMAND=/usr/bin/mysqldump -h db -p'<hunter 2>' x",
    b'mariadb -u root -p"<hunter2>"',
    b"sshpass -p <hunter2> ssh root@h",
    b"ipmitool -I lanplus -U admin -P <hunter2> chassis status",
    b"docker login -u me -p <hunter2> registry",
    b"mongosh -u admin -p <hunter2> db",
    b"redis-cli -h h -a <hunter2> ping",
    b"ldapsearch -x -D cn=admin -w <hunter2> -b dc=x",
    b"openssl rsa -passin pass:<hunter2> -in k",
    b"tool -password <hunter2> --pass <hunter2> -storepass <changeit>",
    b"password is: <hunter>",
    b"Your password is <hunter2>.",
    b"the passphrase is '<a b>'",
    b"[Note] A temporary password is generated for root@localhost: <qZ7x!aa>",
    b"Generated password for user admin: <hunter2>",
    b"user: bob, pwd: <hunter>, host: x",
    b"pwd: <hunter2>",
    b"pwd = <hunter2>",
    b"user=bob pass=<hunter>",
    b"ALTER USER x WITH PASSWORD '<hunter2>'",
    b"CREATE USER x IDENTIFIED BY '<hunter2>'",
    b"requirepass <hunter2>",
    b'1700000000.1 [0 127.0.0.1:1] "AUTH" "<hunter2>"',
    b"password=b'<hunter2>' password=Secret('<hunter2>')",
    b'["mysqladmin","ping","-p<hunter2>"]',
    b'EXECVE argc=3 a0="mysql" a1="-uroot" a2="-p<hunter2>"',
    b"SET PASSWORD FOR 'a'@'b' = '<hunter2>'",
    b'CREATE USER a IDENTIFIED BY "<hunter2>"',
    b"CREATE USER a PASSWORD E'<hunter2>'",
]
OTHERS = [
    ("api_key", b'env: {"name":"OPENAI_API_KEY","value":"<abc>"}'),
    ("api_key", b"EnvVar{Name:DB_PASSWORD,Value:<hunter2>,ValueFrom:nil,}"),
    ("api_key", b"headers=[(b'x-api-key', b'<hunter2>')]"),
    ("api_key", b"LITELLM_MASTER_KEY=<sk-1234>"),
    ("api_key", b"kubeadm join x --certificate-key <f8902e114ef118304e561c3ecd4d0b543adc226b7a07f675f56564185ffe0c07>"),
    ("url_login", b"postgresql://u:<pa/ss>@h/db"),
    ("url_signature", b"/k?AWSAccessKeyId=x&Signature=<abc%3D>&Expires=1"),
    ("authorization", b"Authorization: <0123456789abcdef>"),
    ("authorization", b'{"auths":{"reg":{"auth":"<dXNlcjpodW50ZXIyWHla>"}}}'),
    ("private_key", b"tls.key: LS0tLS1CRUdJTiBSU0EgUFJJVk<FURSBLRVktLS0tLQpNSUlF>"),
    ("webhook", b"https://api.telegram.org/bot123456789:<AAEabc-def>/sendMessage"),
    ("vendor_key", b"gsk_<abcdefghijklmnopqrstuvwxyz012345>"),
    ("vllm_prompt", b"request cmpl-1: sampling params: x, prompt token ids: [<1, 2, 3>]."),
    ("prompt_object", b"Finish: obj=GenerateReqInput(rid='1'), out={'text': '<an answer>', 'output_ids': [<1, 2>]}"),
]
SECRETS += [("password", text) for text in SPOKEN_SECRETS] + OTHERS
PROMPTS = [
    ("prompt_json", b'{"prompt": "<He said \\"x\\">", "n": 1}'),
    ("prompt_json", b'"messages": [{"role": "user", "content": "<tell me>"}]'),
    ("prompt_json", b'"input": ["<a>", "<b c>"], "model": "m"'),
    ("prompt_json", b'body="{\\"prompt\\": \\"<hello \\\\\\"x\\\\\\" you>\\", \\"n\\": 1}"'),
    ("prompt_json", b'{"messages":[{"role":"user","content":[{"type":"text","text":"<my \\"private\\" [prompt]>"}]}]}'),
    ("prompt_json", b'"input":[{"role":"user","content":[{"type":"input_text","text":"<a>"}]}],"model":"m"'),
    ("prompt_json", b'{"model":"m","prompt":["<a private>", "<b [x] private>"],"n":1}'),
    ("prompt_json", b'{"inputs":"<a>","parameters":{"max_new_tokens":5}}'),
    ("prompt_json", b'{"inputs":{"source_sentence":"<a>","sentences":["<b>"]},"id":"x"}'),
    ("prompt_json", b'{"query":"<a>","documents":["<b>",{"text":"<c>"}],"top_n":3}'),
    ("prompt_json", b'{"prompt": [[<1, 2>], [<3>]], "max_tokens": 12}'),
    ("prompt_json", b"{'messages': [{'role': 'user', 'content': '<say \\'x\\'>'}], 'model': 'm'}"),
    ("prompt_json", b"ChatCompletionRequest(messages=[{'content': \"<it's>\", 'role': 'user'}], model='m')"),
    (
        "prompt_json",
        b'body="{\\"messages\\":[{\\"role\\":\\"user\\",\\"content\\":\\"<a \\\\\\"b\\\\\\" c>\\"}]}" n="1"',
    ),
    ("prompt_json", b"prompt='<it's private>', n=1"),
    ("prompt_json", b'{"choices":[{"text":"<an answer>","index":0}],"usage":{"prompt_tokens":5}}'),
    ("prompt_query", b"GET /complete?prompt=<hello%20you>&n=1 HTTP/1.1"),
]
HARMLESS = [
    b"Avg prompt throughput: 12.3 tokens/s, prompt_tokens=12, max_tokens=256, token: 5",
    b"Bearer authentication failed; bearer of bad news",
    b"task-1234567890123456789012 disk-aaaaaaaaaaaaaaaaaaaaaaaa risk-",
    b'Failed password for root; passwords differ; secret "x" of secrets=; my-secret is',
    b"password is wrong; password=None, password: null, no passwd",
    b"https://example.org/a@b and http://[::1]:80/ and user@host",
    b"-----BEGIN CERTIFICATE-----",
    b"password-file /run/x --password-file /run/x --api-key --secret; authorization: key not found, token missing",
    b'pods "x" is forbidden: secret "foo" not found; Failed password for root from 10.0.0.1 port 22 ssh2',
    b"token: Qwen2; curl -u and curl -s https://h:80/x; cookie: none; output: 'x', text='y' prompt='z'",
    b"authorization: bearer token missing; use the --token option; --token-file /run/x; --max-token 16",
    b"PWD=/root ; max_tokens=4096 --max-num-batched-tokens 1234567890123",
    b"eos_token='</s>' pad_token: '<pad>' secretary keyboard",
    b"max_tokens=123456789 tokens: 123 token_ids: 12 num_tokens=12345678 token: 12345678 token=checking",
    b'PWD=/root OLDPWD=/root pwd: command not found, "pwd":"/srv" first_pass=12 second_pass=3ms "pass": 4',
    b"PASSWORD_FILE=/run/secrets/x private_key=/etc/ssl/key.pem SECRET_NAME=tls ssl_private_key: ./key.pem",
    b'volumes: {"secret":{"secretName":"tls","defaultMode":420}} check the password: {"user":"root"}',
    b'content-type: "text/html" context="a" {"text":"no prompt here"} config=1 desig=abcdefgh npm_config_registry=x',
    b"http://user@host/x and http://host:80/a@b",
    b"password is required; password is incorrect, password is 8 characters long; password is base64 encoded",
    b"mkdir -p/var; mkdir -p /var; ssh -p22 h; docker run -p 8080:80 x; psql -p 5432; mysql -p mydb; mysql -P3306",
    b"error: --password is required, --password requires one; two-pass; bypass the filter; -pass 2; first pass: 12 ms",
    b"pass: 12345ms; pass=forward; Pass: true, fail: 0; passed: 12; compass: 4; pwd: /root; pwd: command not found",
    b"git+ssh://git@github.com:org/repo.git@v1; http://host:8080/p/@scope/x; docker-pullable://nginx@sha256:abcdef",
    b'{"name":"max_tokens","value":"12"} "auth":"kubernetes" authorization-mode=Node,RBAC certificate_key: /etc/x.key',
    b"docker run --name mongo -p 27017:27017 mongo:7",
    b"systemctl show mongo -p ActiveState",
    b"apt-get install mongo && mkdir -p /data/db",
    b"WARNING: requirepass is not set",
    b"Access denied for user 'a' (using password 'YES')",
    b"user tests pass: 12",
    b"user=bob pass=3 fail=0",
    b"PASS: test_abc123",
    b"initial password prompt took: 12ms",
    b'{"name":"PASSWORD_FILE","value":"run-secrets-db"}',
    b'{"name":"TOKENIZER_PATH","value":"models-llama"}',
    b"Name:TOKEN_COUNT,Value:17,",
]


def masked(text: bytes, *, fast: bool, prompts: bool = False, inside: Inside = OUTSIDE, **given_: object) -> bytes:
    redactor = Redactor(RedactSettings.model_validate(given_), fast=fast)
    data = np.frombuffer(bytearray(text + b"sk-0" * 16), np.uint8)
    redactor.redact(data, len(text), prompts=prompts, inside=inside)
    found = data[: len(text)].tobytes()
    assert data[len(text) :].tobytes() == b"sk-0" * 16
    redactor.restore(data)
    assert data[: len(text)].tobytes() == text
    return found


def without(text: bytes) -> tuple[bytes, bytes]:
    """The text, and what it is to become."""
    return (
        re.sub(rb"<(?!/s|pad)|(?<!/s)(?<!pad)>", b"", text),
        re.sub(rb"<((?!/s|pad)[^>]*)>", lambda found: b"*" * len(found[1]), text),
    )


@pytest.mark.parametrize("fast", FAST)
@pytest.mark.parametrize(("rule", "text"), SECRETS + PROMPTS)
def test_what_is_masked(rule: str, text: bytes, *, fast: bool) -> None:
    text, wanted = without(text)
    prompts = (rule, text) not in [(name, without(one)[0]) for name, one in SECRETS]
    around = b"before\n%s\nafter\n"
    assert masked(around % text, fast=fast, prompts=prompts) == around % wanted
    assert masked(text, fast=fast, prompts=prompts) == wanted
    assert masked(text, fast=fast, prompts=prompts, off=[rule]) != wanted
    assert masked(text, fast=fast, prompts=prompts, enabled=False) == text


@pytest.mark.parametrize("fast", FAST)
def test_what_is_not(*, fast: bool) -> None:
    for text in [*HARMLESS, *(without(text)[0] for _, text in PROMPTS)]:
        assert masked(text, fast=fast) == text


LENGTH = 200 * 1024
GLUE = [
    b"",
    b" ",
    b"\t",
    b"=",
    b": ",
    b"=\\",
    b"-",
    b": [",
    b"=['",
    b'":{"',
    b': "',
    b'\\"',
    b"@",
    b".",
    b"://a:b",
    b" -u",
]


def seconds(rule: Rule, line: bytes) -> float:
    began = time.process_time()
    for _ in _spans(rule, line):
        pass
    return time.process_time() - began


@pytest.mark.parametrize("rule", DEFAULT, ids=lambda rule: rule.name)
def test_a_line_made_to_keep_a_rule_busy_does_not(rule: Rule) -> None:
    harmless = (b"INFO 02-02 02:40:00 [engine.py:271] Received request: params: n=1, (temperature=0.7), 'a'. " * 3000)[
        :LENGTH
    ]
    limit = 60 * max(seconds(rule, harmless), 0.002)
    parts = [trigger.text + glue for trigger in rule.triggers for glue in GLUE]
    parts += [b"-eyJ", b"--password", b"password=\\", b"cookie: ", b"--secret ", b"\\", b'\\"', b"[", b"-", b" ", b"A"]
    begins = [(b"curl output: 'password " + parts[0], part) for part in parts]
    begins += [(parts[0] + word, blank) for word in (b" user", b" mysql -e") for blank in (b" ", b"\t")]
    for begin, part in begins:
        line = begin + part * (LENGTH // len(part))
        assert seconds(rule, line) < limit or seconds(rule, line) < limit, part


@pytest.mark.parametrize("fast", FAST)
def test_private_keys_over_lines(*, fast: bool) -> None:
    text = b"before\n" + KEY + b"after\n"
    found = masked(text, fast=fast).split(b"\n")
    assert found[:2] + found[-3:] == [
        b"before",
        b"-----BEGIN RSA PRIVATE KEY-----",
        b"-----END RSA PRIVATE KEY-----",
        b"after",
        b"",
    ]
    assert {bytes(set(line)) for line in found[2:-3]} <= {b"*", b"", b"*\r", b"\r*"}
    one = b'"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n" and more'
    assert masked(one, fast=fast) == one.replace(b"\\nMIIE\\n", b"*" * 8)
    assert masked(text, fast=fast, off=["private_key"]) == text
    assert masked(b"-----BEGIN PRIVATE KEY-----\nno key here\n", fast=fast).endswith(b"no key here\n")


@pytest.mark.parametrize("fast", FAST)
def test_private_keys_over_chunks(*, fast: bool) -> None:
    text = b"before\n" + KEY + b"after\n"
    wanted = masked(text, fast=fast)
    ends = [end + 1 for end in range(len(text)) if text[end] == 10]
    for first in ends:
        redactor = Redactor(RedactSettings(), fast=fast)
        found, inside, at = b"", OUTSIDE, 0
        for end in [first, *(end for end in ends if end > first)]:
            data = np.frombuffer(bytearray(text[at:end] + bytes(64)), np.uint8)
            assert inside == begins_inside(text[:at])
            redactor.redact(data, end - at, inside=inside)
            found += data[: end - at].tobytes()
            inside, at = redactor.passed(end - at), end
        assert found == wanted
        assert redactor.counts["private_key"] == 1


@pytest.mark.parametrize("fast", FAST)
def test_what_is_passed_on_is_counted(*, fast: bool) -> None:
    text = b"password=a password=b\nx\nsk-ABCDEFGHIJKLMNOP12\n"
    redactor = Redactor(RedactSettings(), fast=fast)
    data = np.frombuffer(bytearray(text + bytes(64)), np.uint8)
    for _ in range(2):
        redactor.redact(data, len(text))
        redactor.passed(text.index(b"x"))
        redactor.restore(data)
    assert redactor.counts == {"password": 4}


@pytest.mark.parametrize("fast", FAST)
def test_texts_of_an_own_rule_may_overlap(*, fast: bool) -> None:
    settings = RedactSettings.model_validate({"rule": [{"name": "digits", "pattern": r"(?=(\d{16}))", "group": 1}]})
    redactor = Redactor(settings, fast=fast)
    text = b"9" * 1000 + b" and nine\n"
    data = np.frombuffer(bytearray(text) + bytes(64), np.uint8)
    redactor.redact(data, len(text))
    assert data[: len(text)].tobytes() == b"*" * 1000 + b" and nine\n"
    redactor.restore(data)
    assert data[: len(text)].tobytes() == text


@pytest.mark.parametrize("fast", FAST)
def test_own_rules(*, fast: bool) -> None:
    rules = [
        {"name": "ticket", "pattern": r"ticket ([A-Z]+)-\d+", "group": 1, "trigger": "ticket"},
        {"name": "mail", "pattern": r"[a-z]+@[a-z.]+"},
    ]
    text = b"ticket ABC-12 of joe@example.org\nTICKET ABC-1\nticket ABC\n"
    wanted = b"ticket ***-12 of ***************\nTICKET ABC-1\nticket ABC\n"
    assert masked(text, fast=fast, rule=rules) == wanted


WITHOUT_COMPILER = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba" else find(name, *rest)
import numpy as np
from logship.patterns.compiled import INSTALLED
from logship.shaping.redaction import Redactor
from logship.shaping.settings import RedactSettings
assert not INSTALLED
text = sys.stdin.buffer.read()
redactor = Redactor(RedactSettings())
data = np.frombuffer(bytearray(text) + bytes(64), np.uint8)
redactor.redact(data, len(text), prompts=True)
sys.stdout.buffer.write(data.tobytes() + repr(redactor.marks()).encode())
redactor.restore(data)
assert data[:len(text)].tobytes() == text
"""


def test_without_the_compiler_the_same_is_masked() -> None:
    lines = [without(one)[0] for _, one in SECRETS + PROMPTS]
    text = b"\n".join([*lines, *lines[::-1], b'"input": [' + b'"a\\"b", ' * 999 + b"]", KEY, b"password=*\r", b""])
    child = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER], input=text, capture_output=True, timeout=300, check=True
    )
    redactor = Redactor(RedactSettings())
    data = np.frombuffer(bytearray(text) + bytes(64), np.uint8)
    redactor.redact(data, len(text), prompts=True)
    assert child.stdout == data.tobytes() + repr(redactor.marks()).encode()


MANY = [
    b'{"model":"m","prompt":[' + b'"a", ' * 200_000 + b'"b"]}',
    b'{"messages":[' + b'{"role":"user","content":"it is"},' * 30_000 + b"{}]}",
    b'{"body":"{\\"input\\": [' + b'\\"a\\", ' * 100_000 + b'\\"b\\"]}"}',
    b'{"password": [' + b'"a", ' * 200_000 + b'"b"]}',
]


@pytest.mark.skipif(not AVAILABLE, reason="no numba")
@pytest.mark.parametrize("line", MANY, ids=["texts", "messages", "in a text", "passwords"])
def test_a_line_of_thousands_of_texts_is_masked_about_as_fast_as_it_is_read(line: bytes) -> None:
    redactor = Redactor(RedactSettings())
    data = np.frombuffer(bytearray(line + bytes(64)), np.uint8)
    masking, reading = [], []
    for _ in range(5):
        began = time.process_time()
        redactor.redact(data, len(line), prompts=True)
        masking.append(time.process_time() - began)
        redactor.restore(data)
        began = time.process_time()
        json.loads(line)
        reading.append(time.process_time() - began)
    assert min(masking[1:]) < 100 * max(
        min(reading), 0.002
    )  # which takes 2 ms; a call for each text took 500 times that


@pytest.mark.parametrize("fast", FAST)
def test_a_value_behind_an_arrow(*, fast: bool) -> None:
    assert masked(b"'password' => 'hunter2'", fast=fast) == b"'password' => '*******'"


def test_rules_that_cannot_be() -> None:
    for bad in (
        {"name": "x", "pattern": "("},
        {"name": "x", "pattern": "a", "group": 1},
        {"name": "X Y", "pattern": "a"},
        {"name": "x", "pattern": "a", "trigger": "ab"},
    ):
        with pytest.raises(ValueError, match="validation error"):
            RuleSettings.model_validate(bad)
    with pytest.raises(ValueError, match="two rules"):
        RedactSettings.model_validate({"rule": [{"name": "x", "pattern": "a"}] * 2})


CONFINED = {"vllm_output", "prompt_object"}
"""Rules whose texts say in which lines they are meant."""
PARTS = sorted(
    {piece for _, text in SECRETS + PROMPTS for piece in re.split(rb"(?<=[^\w])|(?=[^\w])", without(text)[0])}
    | {trigger.text for rule in DEFAULT for trigger in rule.triggers}
    | {b"--", b"\\", b'\\"', b" = ", b" ", b"\t", b"abcdefgh1234ABCDEFGH5678", b"\n", b"x"}
)


@pytest.mark.parametrize("fast", FAST)
@settings(max_examples=500, deadline=None)
@given(parts=st.lists(st.sampled_from(PARTS), max_size=25))
def test_whatever_a_rule_would_mask_is_found(parts: list[bytes], *, fast: bool) -> None:
    text = b"".join(parts)
    lines = bytearray(text)
    at = 0
    for line in text.split(b"\n"):
        for rule in DEFAULT:
            if rule.name == "private_key":
                continue
            if rule.name in CONFINED and not any(trigger.text in line.lower() for trigger in rule.triggers):
                continue
            for first, last in _spans(rule, bytes(lines[at : at + len(line)])):
                lines[at + first : at + last] = b"*" * (last - first)
        at += len(line) + 1
    assert masked(text, fast=fast, prompts=True, off=["private_key"]) == lines


SPOKEN = [
    b"prompt: ",
    b'"',
    b"'",
    b"\\",
    b"\n",
    b"\r\n",
    b"x",
    b"*",
    b" ",
    b"_",
    b"token=abcdefghijk12345 ",
    b"prompt_token_ids: [1, 2]",
]


@pytest.mark.parametrize("fast", FAST)
@settings(max_examples=300, deadline=None)
@given(parts=st.lists(st.sampled_from(SPOKEN), max_size=40))
def test_quoted_texts_masked_at_once_are_those_that_the_rule_finds(parts: list[bytes], *, fast: bool) -> None:
    text = b"".join(parts)
    slow_rule = {"name": "never", "pattern": "(?!)"}  # searched for in every line: then nothing is masked at once
    found = []
    for own in ([], [slow_rule]):
        redactor = Redactor(RedactSettings.model_validate({"rule": own}), fast=fast)
        data = np.frombuffer(bytearray(text) + bytes(64), np.uint8)
        redactor.redact(data, len(text))
        masked, marks = data.tobytes(), redactor.marks()
        redactor.passed(len(text) // 2)
        redactor.restore(data)
        assert data[: len(text)].tobytes() == text
        found.append((masked, marks, redactor.counts))
    assert found[0] == found[1]
