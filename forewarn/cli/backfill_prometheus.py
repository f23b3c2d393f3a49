"""forewarn backfill --from prometheus."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from forewarn.cli.access import access_of, timeout_of
from forewarn.cli.backfill import FORECASTING, forecasts_follow
from forewarn.cli.output import print_json, print_table, progress, say

if TYPE_CHECKING:
    from collector.history.load import ImportReport
    from collector.history.plan import Plan
    from forewarn.config import Config
    from forewarn.datadir import DataDir
    from forewarn.history import Wish

_NAMED = 10


def load_server(url: str, wanted: Mapping[str, Any], settings: "Config", data: "DataDir", *, json: bool) -> None:
    """Import what a Prometheus has of this node, or say what would be imported."""
    from forewarn.base.clock import SystemClock
    from forewarn.history import HistoryImport
    from forewarn.sinks import open_sink

    found = HistoryImport(_wish(url, wanted), settings, data, SystemClock())
    if wanted["dry-run"]:
        if json:
            print_json(_plan_as_json(found.plan))
        else:
            _print_plan(found.plan)
        return
    with open_sink(data, settings) as sink, progress("history") as bar:
        report = found.run(sink, lambda done, total: bar(round(done * 1000), total * 1000))
        forecasting = report.new > 0 and forecasts_follow(sink)
    if json:
        print_json({**_plan_as_json(found.plan), **_report_as_json(report)})
    else:
        _print_report(found.plan, report)
        if forecasting:
            print(FORECASTING)


def _wish(url: str, wanted: Mapping[str, Any]) -> "Wish":
    from forewarn.history import DEFAULT_SINCE, Wish

    return Wish(
        url,
        access_of(wanted),
        since=wanted["since"] or DEFAULT_SINCE,
        until=wanted["until"],
        step=wanted["step"],
        matches=wanted["match"] or (),
        hostnames=wanted["hostname"] or (),
        instances=wanted["instance"] or (),
        timeout=timeout_of(wanted),
    )


def _pairs(plan: "Plan") -> dict[tuple[str, str], int]:
    """How many series of each of our names come of each name of theirs."""
    counts: dict[tuple[str, str], int] = {}
    for job in plan.jobs:
        for query in job.queries:
            for targets in query.routes.values():
                for target in targets:
                    pair = query.source, target.key.name
                    counts[pair] = counts.get(pair, 0) + 1
    return counts


def _plan_as_json(plan: "Plan") -> dict[str, Any]:
    return {
        "instances": list(plan.instances),
        "maps": [{"from": theirs, "to": ours, "series": count} for (theirs, ours), count in _pairs(plan).items()],
        "left_out": [{"name": one.name, "series": one.series, "reason": one.reason} for one in plan.left_out],
        "other_nodes": [{"name": one.name, "instances": list(one.instances), "gpus": one.gpus} for one in plan.others],
    }


def _print_plan(plan: "Plan") -> None:
    print_table(
        ("theirs", "ours", "series"),
        [(theirs, ours, str(count)) for (theirs, ours), count in _pairs(plan).items()],
    )
    if plan.left_out:
        print_table(
            ("left out", "series", "because"), [(one.name, str(one.series), one.reason) for one in plan.left_out]
        )
    _say_whose(plan)


def _report_as_json(report: "ImportReport") -> dict[str, Any]:
    from forewarn.base.clock import rfc3339

    oldest, newest = report.oldest_ms, report.newest_ms
    return {
        "samples": report.samples,
        "new": report.new,
        "series": len(report.series),
        "oldest": None if oldest is None else rfc3339(oldest),
        "newest": None if newest is None else rfc3339(newest),
        "scrape_seconds": {name: found / 1000 for name, found in report.interval_ms.items()},
        "step_seconds": sorted(step / 1000 for step in report.steps_ms),
    }


def _print_report(plan: "Plan", report: "ImportReport") -> None:
    facts = _report_as_json(report)
    _say_whose(plan)
    if plan.left_out:
        names = len({one.name for one in plan.left_out})
        say(f"{names} names have no counterpart, or are not this node's; --dry-run lists them")
    if not report.samples:
        print("nothing new: every series begins where the history does, or before")
        return
    steps = " and ".join(f"{step:g} s" for step in facts["step_seconds"])
    print(
        f"{report.samples} samples of {facts['series']} series, {report.new} new,"
        f" {facts['oldest']} to {facts['newest']}, one every {steps}"
    )


def _say_whose(plan: "Plan") -> None:
    say(f"taken for this node's: {', '.join(plan.instances) or 'series without an address'}")
    if plan.others:
        others = [f"{one.name} ({', '.join(one.instances)})" for one in plan.others[:_NAMED]]
        more = f" and {len(plan.others) - _NAMED} more" if len(plan.others) > _NAMED else ""
        say(f"other nodes: {'; '.join(others)}{more}; --instance takes one of them for this node's")
