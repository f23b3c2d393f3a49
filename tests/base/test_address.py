import pytest

from forewarn.base.address import Address


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:7470", "127.0.0.1", 7470, True),
        ("127.9.9.9:1", "127.9.9.9", 1, True),
        ("localhost:0", "localhost", 0, True),
        ("[::1]:80", "::1", 80, True),
        ("0.0.0.0:65535", "0.0.0.0", 65535, False),
        ("[2001:db8::1]:443", "2001:db8::1", 443, False),
        ("[fe80::1%eth0]:22", "fe80::1%eth0", 22, False),
        ("Node-1.example:7470", "Node-1.example", 7470, False),
        ("localhost.evil.example:1", "localhost.evil.example", 1, False),
    ],
)
def test_an_address_is_read_and_written_alike(text: str, host: str, port: int, *, loopback: bool) -> None:
    address = Address.parse(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)
    assert str(address) == text


NO_PORT = ["", "7470", ":7470", "localhost", "localhost:", "a:-1", "a:+1", "a:\u00b2", "a: 1", "localhost:65536"]
NO_IPV6 = ["::1", "::1:80", "[::1]", "[]:1", "[127.0.0.1]:1", "[a]:1", "[::1:80", "[[::1]]:80"]
MORE = [" a:1", "a:1\n", "http://a:1", "a:1/", "a/b:1", "me@a:1", "a?b:1", "a#b:1", "a:1?b"]


@pytest.mark.parametrize("text", [*NO_PORT, *NO_IPV6, *MORE])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no address; write it like"):
        Address.parse(text)
