"""The tables of docs/operate/scaling.md, and some of docs/architecture/cost-model.md, from results.json and
`limits`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.scaling import limits, scenarios
from benchmarks.scaling.model import QUOTAS, Load, default_stack
from local.settings import ROOT
from tools.page import with_tables

PAGE = "docs/operate/scaling.md"
MODEL_PAGE = "docs/architecture/cost-model.md"
RESULTS = "benchmarks/scaling/results.json"
_MOST_ROWS = 16
Run = Mapping[str, Any]


def render(simulated: Mapping[str, Any]) -> dict[str, str]:
    """Return the pages with their tables, by path."""
    results = simulated["results"]
    pages = {
        PAGE: {
            "limits": _limits(),
            "parameters": _parameters(),
            "loads": _loads(results),
            "tenants": _tenants(results),
            "bursts": _bursts(results),
        },
        MODEL_PAGE: {"moves": _moves(results), "keys": _keys(), "quotas": _quotas()},
    }
    written = {}
    for path, tables in pages.items():
        text = (ROOT / path).read_text("utf-8")
        for name, lines in tables.items():
            text = with_tables(path, name, lines, text)
        written[path] = text
    return written


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> list[str]:
    marks = "|".join("---" if column < left else "--:" for column in range(len(head)))
    return [f"| {' | '.join(head)} |", f"|{marks}|", *(f"| {' | '.join(map(str, row))} |" for row in rows)]


def _limits() -> list[str]:
    """How much of each limit the loads use, with the defaults."""
    stack, loads = default_stack(), scenarios.LOADS
    uses = {name: {use.name: use for use in limits.uses(load, stack)} for name, load in loads.items()}
    order = [use.name for use in limits.uses(scenarios.DAILY, stack)[:_MOST_ROWS]]
    rows = []
    for name in order:
        use = uses["100 million a day"][name]
        capacity = limits.capacity_per_hour(scenarios.DAILY, use)
        rows.append(
            [
                name,
                f"{use.limit:,.0f} {use.unit}",
                *(_percent(uses[load][name].share) for load in loads),
                f"{capacity / 1e6:,.1f} million",
                _code(use.parameter),
                "simulated" if use.simulated else "computed",
            ]
        )
    head = ["Limit", "Default", *loads, "Reached at, an hour", "What moves it", "Source"]
    return _table(head, rows)


def _parameters() -> list[str]:
    names = list(dict.fromkeys(name for chosen in scenarios.RECOMMENDED.values() for name in chosen))
    stack = default_stack()
    rows = []
    for name in names:
        default = stack.value(name)
        chosen = [values.get(name, default) for values in scenarios.RECOMMENDED.values()]
        rows.append([_code(name), f"{default:g}", *(f"{value:g}" for value in chosen)])
    return _table(["Parameter", "Default", *scenarios.RECOMMENDED], rows)


def _loads(results: Mapping[str, Run]) -> list[str]:
    columns = [name for name in results if name.split(": ")[0] in scenarios.LOADS]
    tenants = [results[name]["sources"]["tenants"] for name in columns]
    lanes = [results[name]["lanes"] for name in columns]
    rows: list[list[object]] = [
        ["events refused", *(_refused(tenant) for tenant in tenants)],
        ["publish to delivery, p50", *(_seconds(tenant["p50"]) for tenant in tenants)],
        ["publish to delivery, p95", *(_seconds(tenant["p95"]) for tenant in tenants)],
        ["publish to delivery, p99", *(_seconds(tenant["p99"]) for tenant in tenants)],
    ]
    for lane in ("fast lane", "slow lane"):
        rows += [
            [f"{lane}: most messages that wait", *(f"{each[lane]['depth']:,}" for each in lanes)],
            [f"{lane}: grows by, a second", *(f"{max(each[lane]['growth'], 0):,.0f}" for each in lanes)],
            [f"{lane}: concurrent invocations, mean", *(f"{each[lane]['busy']:,.1f}" for each in lanes)],
            [f"{lane}: messages of an invocation", *(f"{each[lane]['batch']:.1f}" for each in lanes)],
            [f"{lane}: most messages in flight", *(f"{each[lane]['in_flight']:,}" for each in lanes)],
        ]
    rows += [
        ["concurrent executions, most", *(f"{results[name]['concurrent']:,}" for name in columns)],
        ["dollars a month, on demand", *(f"${results[name]['dollars'][0]:,.0f}" for name in columns)],
        ["dollars a month, provisioned", *(f"${results[name]['dollars'][1]:,.0f}" for name in columns)],
    ]
    return _table(["Simulated", *(name.replace(": ", ", ") for name in columns)], rows)


def dollars(load: Load, run: Run) -> list[float]:
    """The dollars of a month of this load, on demand and provisioned, with the batches of the run."""
    tenants = sum(source.tenants for source in load.sources)
    batch = run["lanes"]["fast lane"]["batch"]
    return [
        round(limits.cost_per_month(load.deliveries_per_second, batch, tenants, provisioned=provisioned))
        for provisioned in (False, True)
    ]


def _moves(results: Mapping[str, Run]) -> list[str]:
    rows = [_move("all as recommended", results["100 million a day: recommended"])]
    rows += [
        _move(_code(name.removeprefix("move: ")), run)
        for name, run in results.items()
        if name.startswith("move: ")
    ]
    rows += [
        _move("1 million an hour by one tenant, defaults", results["one tenant: defaults"]),
        _move("the same, `MaxEventsPerMinute=12000`", results["one tenant: MaxEventsPerMinute=12000"]),
    ]
    title = "10,000 an hour on a new account (`AccountConcurrency=10`), the three concurrencies set to 2"
    rows.append(_move(title, results["new account: all set to 2"]))
    head = ["Simulated", "Refused", "Fast lane grows, a second", "Slow lane grows, a second", "p50", "p95"]
    return _table(head, rows)


def _move(title: str, run: Run) -> list[object]:
    tenant, lanes = run["sources"]["tenants"], run["lanes"]
    return [
        title,
        _refused(tenant),
        f"{max(lanes['fast lane']['growth'], 0):,.0f}",
        f"{max(lanes['slow lane']['growth'], 0):,.0f}",
        _seconds(tenant["p50"]),
        _seconds(tenant["p95"]),
    ]


def _tenants(results: Mapping[str, Run]) -> list[str]:
    titles = {
        "quiet: alone": "alone",
        "quiet: beside fast receivers": "one publishes 100 events a second to ten fast receivers",
        "quiet: beside slow receivers": "the same, to ten slow receivers",
        "quiet: beside receivers that die": "to ten fast receivers that stop responding after 90 s",
        "quiet: the same, DeliveryConcurrency=200": "the same, `DeliveryConcurrency=200`",
    }
    rows = []
    for name, title in titles.items():
        run = results[name]
        quiet, noisy = run["sources"]["quiet"], run["sources"].get("noisy")
        rows.append(
            [
                title,
                *(_seconds(quiet[p]) for p in ("p50", "p95", "p99", "slow_p95")),
                _seconds(noisy["p95"] or noisy["slow_p95"]) if noisy else "–",
                f"{run['lanes']['fast lane']['depth']:,}",
                f"{run['lanes']['slow lane']['depth']:,}",
            ]
        )
    head = [
        "Simulated: 1,000 quiet tenants",
        "p50",
        "p95",
        "p99",
        "p95, slow receivers",
        "The noisy one, p95",
    ]
    head += ["Fast lane, most waiting", "Slow lane"]
    return _table(head, rows)


def _bursts(results: Mapping[str, Run]) -> list[str]:
    titles = {
        "1 million an hour: defaults": "no burst, defaults",
        "burst: defaults": "burst, defaults",
        "burst: ThrottlingRate=1000": "burst, `ThrottlingRate=1000`",
        "burst: ThrottlingRate=1000, DeliveryConcurrency=200": "burst, also `DeliveryConcurrency=200`",
        "outage: defaults": "a fifth of the receivers stop responding, defaults",
        "outage: AttemptTimeoutSeconds=5": "the same, `AttemptTimeoutSeconds=5`",
        "outage: DeliveryConcurrency=200, SlowDeliveryConcurrency=100": "the same outage, "
        "`DeliveryConcurrency=200`, `SlowDeliveryConcurrency=100`",
    }
    rows = []
    for name, title in titles.items():
        run = results[name]
        tenant, lanes = run["sources"]["tenants"], run["lanes"]
        rows.append(
            [
                title,
                _refused(tenant),
                f"{lanes['fast lane']['depth']:,}",
                f"{lanes['slow lane']['depth']:,}",
                f"{run['held']:,}",
                _seconds(tenant["p50"]),
                _seconds(tenant["p99"]),
            ]
        )
    head = [
        "Simulated, 1 million an hour",
        "Refused",
        "Fast lane, most waiting",
        "Slow lane",
        "Held",
        "p50",
        "p99",
    ]
    return _table(head, rows)


def _keys() -> list[str]:
    stack, loads = default_stack(), scenarios.LOADS
    uses = {name: {use.name: use for use in limits.uses(load, stack)} for name, load in loads.items()}
    rows = []
    for use in limits.uses(scenarios.DAILY, stack):
        if "units a second" in use.unit and not use.name.endswith(", new"):
            cells = [f"{uses[load][use.name].used:,.1f}" for load in loads]
            rows.append([use.name, *cells, f"{use.limit:,.0f} {use.unit.split()[0]}", _code(use.parameter)])
    return _table(["Computed: units a second of one key", *loads, "Limit", "What moves it"], rows)


def _quotas() -> list[str]:
    entries = tomllib.loads(QUOTAS.read_text("utf-8"))
    rows = [
        [
            f"{entry['value']:,}",
            entry["unit"],
            "yes" if entry["increase"] else "no",
            f"[source]({entry['source']})",
        ]
        for entry in entries.values()
        if isinstance(entry, dict)
    ]
    return ["| Default | Quota | AWS raises it | Source |", "|--:|---|---|---|"] + [
        f"| {' | '.join(map(str, row))} |" for row in rows
    ]


def _refused(source: Mapping[str, Any]) -> str:
    """The share of events that were refused, and what refused them."""
    if not source["refused"]:
        return "0"
    total = sum(source["refused"].values())
    reasons = ", ".join(_code(name) for name in source["refused"])
    return f"{_percent(total / source['requested'])} ({reasons})"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.0995 else f"{share:.1%}"


def _code(name: str) -> str:
    return f"`{name}`" if name.partition("=")[0].isalnum() and name[0].isupper() else name
