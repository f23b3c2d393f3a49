import pytest

from logship.patterns.header import learn
from logship.patterns.lines import COLON, message_start, shape_of


def message(line: bytes, like: list[bytes]) -> bytes:
    header = learn(like)
    return line[message_start(line, 0, len(line), header.columns, header.rule) :]


FORMATS = {
    "syslog": "Jun {d} 15:16:{d} node7 sshd(pam)[{n}]: {m}",
    "python": "2026-01-{d} 10:11:{d},{n} INFO app.server: {m}",
    "android": "03-17 16:13:{d}.811  {n}  {n} {l} Window: {m}",
    "bars": "20260102-22:15:{d}:{n}|Step|{n}|{m}",
    "brackets": "[2026-01-{d} 04:47] [{w}] {m}",
    "capitals": "{n} 2026.01.{d} R02-M1 RAS KERNEL INFO {m}",
    "hyphen": "[10.30 16:49:{d}] program{x} - {m}",
    "nested": "2026-01-{d} 17:41:44 - WARN  [peer[id=1]/0:{n}@774] - {m}",
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_message_is_found(name: str) -> None:
    def line(i: int, said: str) -> bytes:
        values = {"d": 10 + i % 20, "n": 1000 + i * 7, "l": "DIWE"[i % 4], "w": ("notice", "error")[i % 2]}
        return FORMATS[name].format(**values, x=(" *64" if i % 3 == 0 else ""), m=said).encode()

    said = ["loaded the weights", "request done", "cannot connect, again", "GET came"]
    lines = [line(i, said[i % 4]) for i in range(200)]
    assert [message(one, lines) for one in lines] == [said[i % 4].encode() for i in range(200)]


def test_what_has_no_header_is_left_whole() -> None:
    lines = [b"Traceback (most recent call last):", b"error: it failed", b"  File x"] * 20
    assert learn(lines).columns == 0
    assert message(lines[0], lines) == lines[0]


def test_few_lines_are_cut_by_columns_only() -> None:
    lines = [b"2026-01-02 10:00:00 app: ready"] * 40
    assert learn(lines).rule == COLON
    assert learn(lines[:5]).rule == 0


def test_a_bracket_of_the_message_ends_the_search() -> None:
    said = [b"[instance: 12] created disk: done", b'"GET /x" status: 200']
    lines = [b"2026-01-02 10:00:0%d INFO %s" % (i % 9, said[i % 2]) for i in range(60)]
    assert [message(line, lines) for line in lines[:2]] == said


def test_a_sentence_is_no_header_although_a_number_is_in_it() -> None:
    bare = [b"loaded shard %d of it" % i for i in range(60)]
    assert message(bare[3], bare) == bare[3]
    headed = [b"10:00:%02d INFO loaded shard %d of it" % (i, i) for i in range(60)]
    assert message(headed[3], headed) == b"loaded shard 3 of it"


def test_shapes_tell_formats_apart_and_values_not() -> None:
    def shape(line: bytes) -> int:
        return shape_of(line, 0, len(line))

    assert shape(b"2026-01-02 10:00:00 a") == shape(b"2027-11-12 23:59:59 b c")
    assert shape(b"Jun 14 x") == shape(b"Jul  1 y")
    looks = [
        b"2026-01-02 10:00:00 a",
        b"17/06/09 20:10:40 a",
        b"Jun 14 x",
        b"[1.2] x",
        b"1234567 node-1 x",
        b"Traceback of",
    ]
    assert len({shape(line) for line in looks}) == len(looks)
    assert shape(b"") == shape(b"   ")
