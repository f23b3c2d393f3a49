"""A plan as a picture: every resource's probability to be full over the coming month, and the GPUs that are needed.

An SVG of its own, without script, font or file from elsewhere; light, and readable in print.
"""

from collections.abc import Callable, Iterator, Sequence
from html import escape

from forecast.plan.answer import Need, Plan, Resource
from forecast.plan.outlook import ENDS
from forecast.plan.wording import asked, farthest_room, more, times

WIDTH = 1180
LEFT, RIGHT = 250, 290
ROW, HEAD, SECTION, MARGIN = 30, 64, 58, 24
MOST_ROWS = 24
SOON_SHARE = 0.3
"""Part of the axis that the first three days have."""
INK, MUTED, LINE, BAND, BAD, GOOD = "#18202c", "#566072", "#e2e6eb", "#f0f2f5", "#a8201a", "#15683f"
SHADES = ((0.05, "#fdf0d9"), (0.1, "#f9dba6"), (0.25, "#f2b366"), (0.5, "#e07b39"), (0.75, "#c4452b"), (0.9, "#98180f"))
"""From which probability on a cell has which colour."""
_STYLE = (
    f"text{{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:{INK}}}"
    f".m{{fill:{MUTED}}}.b{{fill:{BAD}}}.g{{fill:{GOOD}}}.s{{font-size:12px}}.h{{font-weight:600}}"
    ".t{font-size:18px;font-weight:600}.c{text-anchor:middle}"
)
Title = Callable[[str], str]


def draw(plan: Plan, title: Title, host: str = "") -> str:
    """The picture.

    Args:
        plan: what is shown: the 24 resources that are full first, and all needs.
        title: a target's name as people say it.
        host: whose plan it is.
    """
    told = [one for one in plan.resources if one.curve][:MOST_ROWS]
    parts = list(_heading(plan, host))
    top = MARGIN + HEAD
    parts += _axis(plan, top, len(told))
    for place, resource in enumerate(told):
        parts += _row(resource, title, plan, top + SECTION + place * ROW)
    bottom = top + SECTION + max(len(told), 1) * ROW
    if not told:
        parts.append(_text(MARGIN, top + SECTION + 20, "nothing has a limit and history enough", "m"))
    parts += _key(bottom + 22)
    bottom += 56
    parts += _needs(plan.needs, plan.horizons, bottom)
    height = bottom + (SECTION + len(plan.needs) * ROW if plan.needs else 0) + MARGIN
    for note in plan.notes:
        parts.append(_text(MARGIN, height - 4, note, "m s"))
        height += 20
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        f' role="img" aria-label="capacity plan">\n<style>{_STYLE}</style>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _heading(plan: Plan, host: str) -> Iterator[str]:
    whose = f"Capacity plan of {host}" if host else "Capacity plan"
    yield _text(MARGIN, MARGIN + 18, whose, "t")
    yield _text(MARGIN, MARGIN + 40, asked(plan), "m")


def _axis(plan: Plan, top: int, rows: int) -> Iterator[str]:
    there = sum(1 for one in plan.resources if one.curve)
    cut = f": the {rows} of {there} resources that are full first" if there > rows else ""
    yield _text(MARGIN, top + 22, f"Probability to have reached the limit{cut}", "h")
    bottom = top + SECTION + rows * ROW
    for hours in (0, 24, 48, 72, 7 * 24, 14 * 24, 21 * 24, 30 * 24):
        if hours > plan.horizons[-1] * 24:
            break
        x = _x(hours, plan)
        label = "now" if not hours else f"{hours // 24} d"
        yield f'<line x1="{x:.1f}" y1="{top + SECTION - 6}" x2="{x:.1f}" y2="{bottom}" stroke="{LINE}"/>'
        yield _text(x, top + SECTION - 12, label, "m s c")
    for place, name in enumerate(("10 / 50 / 90 % by", "may grow")):
        yield _text(WIDTH - RIGHT + 30 + place * 136, top + SECTION - 12, name, "m s")


def _row(resource: Resource, title: Title, plan: Plan, top: int) -> Iterator[str]:
    yield _text(MARGIN, top + 19, _cut(title(resource.target), 34))
    far = plan.horizons[-1] * 24
    known = 0
    for begin, end, colour in _cells(resource, far):
        x, width = _x(begin, plan), _x(end, plan) - _x(begin, plan)
        yield f'<rect x="{x:.1f}" y="{top + 4}" width="{width:.1f}" height="{ROW - 8}" fill="{colour}"/>'
        known = end
    if known < far:
        yield _text(_x(known, plan) + 8, top + 19, "history too short", "m s")
    half = resource.time(0.5)
    if half is not None and not resource.full:
        x = _x(half, plan)
        yield f'<line x1="{x:.1f}" y1="{top + 2}" x2="{x:.1f}" y2="{top + ROW - 2}" stroke="{INK}" stroke-width="2"/>'
    yield _text(WIDTH - RIGHT + 30, top + 19, times(resource), "b" if half is not None else "")
    room = farthest_room(resource)
    yield _text(WIDTH - RIGHT + 166, top + 19, room, "b" if "-" in room else "")


def _cells(resource: Resource, far: int) -> Iterator[tuple[int, int, str]]:
    """Stretches of one colour: hours from, hours to, colour; as far as the probability is known."""
    begin = end = 0
    colour = ""
    for hours, chance in zip(ENDS.tolist(), resource.curve, strict=True):
        if hours > far or chance is None:
            break
        shade = _shade(chance)
        if shade != colour and end > begin:
            yield begin, end, colour
            begin = end
        colour, end = shade, hours
    if end > begin:
        yield begin, end, colour


def _key(top: int) -> Iterator[str]:
    x = float(LEFT)
    for place, (least, colour) in enumerate(SHADES):
        most = SHADES[place + 1][0] if place + 1 < len(SHADES) else 1.0
        yield f'<rect x="{x}" y="{top - 11}" width="16" height="13" fill="{colour}"/>'
        yield _text(x + 21, top, f"{100 * least:.0f}-{100 * most:.0f} %", "m s")
        x += 92
    yield f'<line x1="{MARGIN + 2}" y1="{top - 13}" x2="{MARGIN + 2}" y2="{top + 3}" stroke="{INK}" stroke-width="2"/>'
    yield _text(MARGIN + 10, top, "as likely as not", "m s")


def _needs(needs: Sequence[Need], horizons: Sequence[int], top: int) -> Iterator[str]:
    if not needs:
        return
    kinds = sorted({f"{need.count} of {need.model or 'all models'}" for need in needs})
    yield _text(MARGIN, top + 22, f"GPUs needed beyond those that are there: {', '.join(kinds)}", "h")
    columns = {days: LEFT + 370 + place * 130 for place, days in enumerate(horizons)}
    yield _text(LEFT, top + SECTION - 12, "peak of the week over capacity", "m s")
    for days, x in columns.items():
        yield _text(x, top + SECTION - 12, f"next {days} days", "m s")
    for place, need in enumerate(needs):
        y = top + SECTION + place * ROW
        yield _text(MARGIN, y + 19, _cut(need.title, 34))
        yield f'<rect x="{LEFT}" y="{y + 7}" width="300" height="{ROW - 14}" fill="{BAND}"/>'
        if need.peak is not None:
            share = need.peak / need.capacity if need.capacity > 0 else 1.0
            width = 300 * min(max(share, 0.0), 1.0)
            colour = BAD if share >= 1 else "#1d4ed8"
            yield f'<rect x="{LEFT}" y="{y + 7}" width="{width:.1f}" height="{ROW - 14}" fill="{colour}"/>'
            yield _text(LEFT + 308, y + 19, f"{100 * share:.0f} %", "s")
        for days, x in columns.items():
            count = need.more[days]
            said = more(need, days)
            yield _text(x, y + 19, said, "m s" if count is None else "h b" if count else "g h")


def _shade(chance: float) -> str:
    return next((colour for least, colour in reversed(SHADES) if chance >= least), BAND)


def _x(hours: float, plan: Plan) -> float:
    whole = WIDTH - LEFT - RIGHT
    far = plan.horizons[-1] * 24
    if far <= 72:
        return LEFT + whole * hours / far
    if hours <= 72:
        return LEFT + whole * SOON_SHARE * hours / 72
    return LEFT + whole * (SOON_SHARE + (1 - SOON_SHARE) * (hours - 72) / (far - 72))


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    marked = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{marked}>{escape(text)}</text>'


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
