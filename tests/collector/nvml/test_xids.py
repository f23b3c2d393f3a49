"""The tables of XIDs and conditions agree with each other and with the shipped rules."""

import re

import pytest

from collector.nvml.xid.meanings import CRITICAL, UNKNOWN_XID, WARNING, XIDS, xid_row

APPLICATION = (13, 31, 43, 45, 68, 69)


def test_the_allow_list_is_the_agreed_one() -> None:
    assert {48, 62, 64, 74, 79, 95, 119, 120} == CRITICAL
    assert {94} == WARNING


@pytest.mark.parametrize("code", APPLICATION)
def test_what_programs_cause_never_alerts(code: int) -> None:
    row = XIDS[str(code)]
    assert (row.blame, row.severity) == ("application", "none")


def test_every_row_is_a_sentence_and_a_step() -> None:
    assert len({row.code for row in XIDS.values()}) == len(XIDS)
    for row in XIDS.values():
        assert re.fullmatch(r"[a-z].*[^.]", row.meaning), row
        assert re.fullmatch(r"[A-Z].*\.", row.next_step), row
        assert row.severity == "none" or row.blame != "application"


@pytest.mark.parametrize(("xid", "code"), [("79", 79), ("901", 901), (UNKNOWN_XID, 0)])
def test_every_code_has_words(xid: str, code: int) -> None:
    row = xid_row(xid)
    assert row.code == code
    assert row.meaning
    assert row.next_step
