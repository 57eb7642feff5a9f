"""The report of a load test: a page with plots, a summary for the terminal, and the progress line. It uses
only the standard library, and the page loads nothing."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

Sample = Mapping[str, Any]
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 860, 220, 56, 26
_COLORS = ("#1f6feb", "#d1480f", "#1a7f37")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1f2328; background: #fff }
h1 { font-size: 1.6rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: .8rem;
  margin: 1.2rem 0 }
.facts div { border: 1px solid #d0d7de; border-radius: 6px; padding: .5rem .9rem }
.facts b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums }
.facts span { color: #59636e }
table { border-collapse: collapse; width: 100% }
td, th { padding: .3rem .6rem; border-bottom: 1px solid #d0d7de; text-align: right;
  font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left }
svg { width: 100%; height: auto; display: block } text { font: 12px system-ui, sans-serif; fill: #59636e }
.note { color: #59636e } .bad { color: #b42318 } .legend { display: flex; gap: 1.2rem; color: #59636e }
.legend i { display: inline-block; width: .9rem; height: .2rem; vertical-align: middle; margin-right: .4rem }
"""


def problems(measured: Mapping[str, Any]) -> list[str]:
    """The problems of the test, as sentences."""
    found = []
    if not measured["published"]:
        found.append("No event was published.")
    if measured["failures"]:
        found.append(f"{measured['failures']:,} of {measured['requests']:,} requests failed.")
    expected = measured["expected"]
    if expected is not None and measured["arrived"] < expected:
        found.append(f"{expected - measured['arrived']:,} of {expected:,} deliveries did not arrive.")
    return found


def text(measured: Mapping[str, Any]) -> str:
    """The summary for the terminal."""
    seconds, delivery = measured["seconds"] or 1, measured["delivery"]
    asked = measured["options"]["rate"]
    lines = [
        f"published   {measured['published']:,} events, {measured['published'] / seconds:.1f} a second "
        f"({asked:g} asked for)",
        f"deliveries  {_arrived(measured)}",
        f"end to end  p50 {_ms(delivery['p50'])}, p95 {_ms(delivery['p95'])}, p99 {_ms(delivery['p99'])}, "
        f"longest {_ms(delivery['p100'])} ({_how(measured)})",
        "",
        f"{'':50} {'requests':>8} {'failed':>7} {'p50':>7} {'p95':>7} {'p99':>7}",
    ]
    lines += [
        f"{route['name']:50} {route['requests']:8,} {route['failures']:7,} "
        + " ".join(f"{_ms(route[p]):>7}" for p in ("p50", "p95", "p99"))
        for route in measured["routes"]
    ]
    lines += [f"failed      {count:,} × {error}" for error, count in measured["errors"]]
    return "\n".join([*lines, *problems(measured)])


def progress(samples: Sequence[Sample]) -> str:
    """One line about the last second."""
    now = samples[-1]
    before = samples[-2] if len(samples) > 1 else dict.fromkeys(now, 0)
    seconds = max(now["at"] - before["at"], 0.1)

    def rate(name: str) -> str:
        return f"{(now[name] - before[name]) / seconds:.0f}/s"

    return (
        f"{int(now['at']) // 60}:{int(now['at']) % 60:02}  users {now['users']}  requests {rate('requests')} "
        f"p95 {_ms(now['response_p95'])}  published {now['published']:,} ({rate('published')})  "
        f"delivered {now['arrived']:,} ({rate('arrived')}) p95 {_ms(now['delivery_p95'])}  "
        f"failed {now['failures']:,}"
    )


def page(measured: Mapping[str, Any], samples: Sequence[Sample]) -> str:
    """The report as HTML."""
    options, delivery = measured["options"], measured["delivery"]
    seconds = measured["seconds"] or 1
    facts = {
        "events a second": f"{measured['published'] / seconds:.1f}",
        "deliveries": f"{measured['arrived']:,}",
        "end to end, p50": _ms(delivery["p50"]),
        "end to end, p95": _ms(delivery["p95"]),
        "end to end, p99": _ms(delivery["p99"]),
        "failed requests": f"{measured['failures']:,}",
    }
    waiting = [
        {**sample, "waiting": sample["published"] * options["webhooks"] - sample["arrived"]}
        for sample in samples
    ]
    parts = [
        f"<h1>Load test of {html.escape(options['url'])}</h1>",
        f'<p class="note">{html.escape(measured["at"])} · {options["users"]} users · '
        f"{options['rate']:g} events a second asked for · each to {options['webhooks']} webhooks · "
        f"{measured['seconds']:.0f} s</p>",
        '<div class="facts">'
        + "".join(f"<div><b>{v}</b><span>{k}</span></div>" for k, v in facts.items())
        + "</div>",
        "".join(f'<p class="bad">{html.escape(problem)}</p>' for problem in problems(measured)),
        f"<p>{html.escape(_arrived(measured))}. Times are {html.escape(_how(measured))}.</p>",
        "<h2>Events and deliveries a second</h2>",
        _plot(_rates(samples, "published", "arrived"), {"published": "events", "arrived": "deliveries"}, ""),
        "<h2>From publish to delivery, ms</h2>",
        _plot(samples, {"delivery_p50": "p50", "delivery_p95": "p95"}, " ms"),
    ]
    if measured["expected"] is not None:
        parts += [
            "<h2>Deliveries on their way</h2>",
            _plot(waiting, {"waiting": "published and not yet arrived"}, ""),
        ]
    parts += [
        "<h2>Responses of the API, ms</h2>",
        _plot(samples, {"response_p50": "p50", "response_p95": "p95"}, " ms"),
        "<h2>Requests</h2>",
        _table(measured),
        "".join(
            f'<p class="bad">{count:,} × {html.escape(error)}</p>' for error, count in measured["errors"]
        ),
        '<p class="note">More: <a href="requests.html">requests.html</a>, made by locust.</p>',
    ]
    title = f"Load test of {html.escape(options['url'])}"
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        f"<title>{title}</title><style>{_STYLE}</style>\n" + "\n".join(parts) + "</html>\n"
    )


def _table(measured: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(route['name'])}</td><td>{route['requests']:,}</td><td>{route['failures']:,}</td>"
        + "".join(f"<td>{_ms(route[p])}</td>" for p in ("p50", "p95", "p99", "max"))
        + "</tr>"
        for route in measured["routes"]
    )
    head = "".join(
        f"<th>{name}</th>" for name in ("Route", "Requests", "Failed", "p50", "p95", "p99", "Longest")
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


def _rates(samples: Sequence[Sample], *names: str) -> list[dict[str, Any]]:
    """The samples with the growth of these totals per second."""
    before: Sample = {"at": 0.0, **dict.fromkeys(names, 0)}
    rates = []
    for sample in samples:
        seconds = max(sample["at"] - before["at"], 0.1)
        rates.append({"at": sample["at"], **{n: (sample[n] - before[n]) / seconds for n in names}})
        before = sample
    return rates


def _plot(samples: Sequence[Sample], series: Mapping[str, str], unit: str) -> str:
    """Lines over the seconds of the test, as SVG. A second without a value interrupts a line."""
    values = [sample[name] for sample in samples for name in series if sample[name] is not None]
    if not values:
        return '<p class="note">No values.</p>'
    top, end = _round_up(max(values)), max(samples[-1]["at"], 1)

    def x(at: float) -> float:
        return _LEFT + at / end * (_WIDTH - _LEFT - 8)

    def y(value: float) -> float:
        return 8 + (1 - value / top) * (_HEIGHT - _BOTTOM - 8)

    parts = []
    for step in range(5):
        value = top * step / 4
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - 8}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#e4e8ec"/>'
            f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:,.4g}</text>'
        )
        at = end * step / 4
        anchor = "start" if step == 0 else "end" if step == 4 else "middle"
        parts.append(f'<text x="{x(at):.1f}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{at:.3g} s</text>')
    for name, color in zip(series, _COLORS, strict=False):
        for line in _segments([(sample["at"], sample[name]) for sample in samples]):
            points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in line)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.8"/>')
            if len(line) == 1:
                at, value = line[0]
                parts.append(f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="2" fill="{color}"/>')
    legend = "".join(
        f'<span><i style="background:{color}"></i>{html.escape(label)}</span>'
        for label, color in zip(series.values(), _COLORS, strict=False)
    )
    label = html.escape(", ".join(series.values()) + unit)
    svg = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    return f'<div class="legend">{legend}</div>{svg}'


def _segments(points: Sequence[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    lines: list[list[tuple[float, float]]] = [[]]
    for at, value in points:
        if value is None:
            lines.append([])
        else:
            lines[-1].append((at, value))
    return [line for line in lines if line]


def _round_up(value: float) -> float:
    """The next larger of some multiples of a power of ten whose quarters are round."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        power * factor for factor in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if power * factor >= value
    )


def _arrived(measured: Mapping[str, Any]) -> str:
    expected = measured["expected"]
    if expected is None:
        return f"{measured['arrived']:,} deliveries seen in the API"
    extra = f", {measured['duplicates']:,} of them twice" if measured["duplicates"] else ""
    if measured["arrived"] > expected:
        extra += "; the others are of events whose publish request got no response"
    foreign = f"; {measured['foreign']:,} other requests" if measured["foreign"] else ""
    return f"{measured['arrived']:,} of {expected:,} arrived{extra}{foreign}"


def _how(measured: Mapping[str, Any]) -> str:
    if measured["expected"] is None:
        return "from createdAt to deliveredAt of the delivery, by the stack's clocks"
    return "from just before the publish request to the arrival, by one clock"


def _ms(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f} ms" if value < 10_000 else f"{value / 1000:,.1f} s"
