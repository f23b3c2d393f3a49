import pytest

from logship.patterns.tokens import MOST_TOKENS, tokens_of
from logship.patterns.words import HOLE

V = HOLE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("took 5 ms", "took 17.25 seconds"),
        ("sent 12 bytes", "sent 12 bytes (1.2 KB)"),
        ("rhost= user=root", "rhost=10.0.0.1 user=root"),
        ("list ()", "list (17)"),
        ("nodes 1 2 3 ready", "nodes 4 ready"),
        ("values 1, 2, 3", "values 7"),
        ("at Sat Jun 11 03:28:22 2005 done", "at Jun 1 done"),
        ("see http://a.b/c?d=e now", "see https://x.y now"),
        ("to proxy.example.org:8080 now", "to 10.0.0.1:80 now"),
        ("owner=null end", "owner=7 end"),
        ("[a=1] [a=2] [a=3]", "[a=4]"),
    ],
)
def test_equal(one: str, other: str) -> None:
    assert tokens_of(one) == tokens_of(other)


def test_tokens() -> None:
    assert tokens_of("eth0 up, /var/log full: 7") == ("eth0", "up", ",", V, "full", ":", V)
    assert tokens_of("f(1) is a call") == (f"f({V})", "is", "a", "call")
    assert tokens_of('"GET /x HTTP/1.1" 200') == (f'"GET {V}"', V)
    assert tokens_of('"View Lock" held') == ('"View Lock"', "held")
    assert tokens_of("") == ()


def test_a_long_message_is_cut() -> None:
    assert len(tokens_of("word , " * 10_000)) <= MOST_TOKENS + 1
