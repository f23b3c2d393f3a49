"""Sentences."""

from alerts.wording import fill


def test_labels_that_look_like_placeholders_are_not_filled() -> None:
    assert fill("{labels.a} {value} {{x}} {labels.none}", {"value": "1"}, {"a": "{value}"}) == "{value} 1 {x} "
