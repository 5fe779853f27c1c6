"""What a run has shown, as data (JSON), as a page (Markdown) and as one picture."""

from __future__ import annotations

import json
import platform
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from simulators.fleet.plan import AWAY_S, Scenario
from simulators.fleet.plot import plot
from simulators.fleet.rates import rates
from simulators.fleet.result import Result
from simulators.fleet.tally import TIMED, percentile_ms

_MIB: Final = 1024 * 1024


def figures(result: Result) -> dict[str, Any]:
    """Every number of the report. Rates are per second of the run; times of requests are as a kiosk sees them."""
    plan, tally, cost = result.plan, result.tally, result.cost
    requests = tally.requests.total()
    # While the backend was away nothing was answered: a mean over that time would flatter nobody and say nothing.
    served_s = _served_s(result)
    seen = rates(result.moments)
    return {
        "plan": {
            "scenario": str(plan.scenario),
            "kiosks": plan.kiosks,
            "minutes": plan.minutes,
            "seed": plan.seed,
            "pace": round(plan.pace, 3),
            "visits_factor": round(plan.visits_factor, 3),
            "away_s": [round(plan.killed_s, 1), round(result.back_s, 1)] if plan.killed_s is not None else None,
        },
        "machine": {
            "engine": result.engine,
            "cores": result.cores,
            "backend_processes": result.backend_processes,
            "fleet_processes": result.fleet_processes,
            "load_before": round(result.load_before, 1),
            "load_after": round(result.load_after, 1),
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION.split(" ")[1],
        },
        "requests": {
            "answered": requests,
            "by_route": dict(sorted(tally.requests.items())),
            "mean_per_s": round(requests / served_s, 1),
            "peak_per_s": round(max((rate.requests for rate in seen), default=0.0), 1),
            "lost_answers": tally.lost_answers,
            "resent": tally.resent,
            "errors": dict(sorted(tally.errors.items())),
            "failures_while_away": dict(sorted(tally.failures.items())),
        },
        "handshakes": {
            "done": len(tally.seconds["handshake"]),
            "mean_per_s": round(len(tally.seconds["handshake"]) / served_s, 1),
            "peak_per_s": round(max((rate.handshakes for rate in seen), default=0.0), 1),
            "most_connections": max((moment.connections for moment in result.moments), default=0),
        },
        "latency_ms": {
            name: {
                "count": len(tally.seconds[name]),
                "p50": round(percentile_ms(tally.seconds[name], 50), 1),
                "p99": round(percentile_ms(tally.seconds[name], 99), 1),
                "most": round(percentile_ms(tally.seconds[name], 100), 1),
            }
            for name in TIMED
        },
        "cost": {
            "cpu_ms_per_request": _per(cost.backend_cpu_s + (cost.database_cpu_s or 0.0) + cost.fleet_cpu_s, requests),
            "backend_ms_per_request": _per(cost.backend_cpu_s, requests),
            "database_ms_per_request": None if cost.database_cpu_s is None else _per(cost.database_cpu_s, requests),
            "fleet_ms_per_request": _per(cost.fleet_cpu_s, requests),
            "backend_memory_mib": round(cost.backend_rss_bytes / _MIB, 1),
            "fleet_memory_mib": round(cost.fleet_rss_bytes / _MIB, 1),
            "fleet_memory_kib_per_kiosk": round(cost.fleet_rss_bytes / plan.kiosks / 1024, 1),
            "enrolment_s": round(result.provision_s, 1),
            "fleet_late_s": round(tally.late_s, 1),
        },
        "backlog": {
            "most": max((moment.waiting for moment in result.moments), default=0),
            "most_calls_under_way": max((moment.calls for moment in result.moments), default=0),
            "left": tally.waiting,
            "drained_after_s": round(result.drained_after_s, 1),
            "limit_s": round(plan.drain_limit_s, 1),
        },
        "events": {
            "made": result.made,
            "acknowledged": result.check.acknowledged,
            "applied": result.check.applied,
            "applied_unknown_to_kiosk": result.check.unknown,
            "gaps": result.check.gaps,
            "wrong_kiosks": result.check.wrong_kiosks,
            "violations": list(result.check.violations),
        },
        "bars": [{"said": said, "met": is_met} for said, is_met in result.bars],
        "good": result.is_good,
    }


def write(result: Result, folder: Path) -> Path:
    """Write `fleet-<scenario>.json`, `.md` and `.png` into a folder; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"fleet-{result.plan.scenario}"
    numbers = figures(result)
    (folder / f"{name}.json").write_text(json.dumps(numbers, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    plot(result, folder / f"{name}.png")
    page = folder / f"{name}.md"
    page.write_text(markdown(numbers, f"{name}.png"), encoding="utf-8")
    return page


def markdown(numbers: Mapping[str, Any], picture: str) -> str:
    """The page, from the figures alone."""
    plan, machine, requests = numbers["plan"], numbers["machine"], numbers["requests"]
    handshakes, cost, backlog, events = (numbers[name] for name in ("handshakes", "cost", "backlog", "events"))
    database_ms = cost["database_ms_per_request"]
    database = "not to be told apart" if database_ms is None else f"{database_ms} ms"
    connections = f"at most {handshakes['most_connections']} connections"
    rows = {
        "Requests answered": f"{requests['answered']}, {_rate(requests)}",
        "TLS handshakes": f"{handshakes['done']}, {_rate(handshakes)}; {connections}",
        **{
            f"Time of {name}": f"p50 {value['p50']} ms, p99 {value['p99']} ms, most {value['most']} ms"
            for name, value in numbers["latency_ms"].items()
        },
        "Processor time per request": f"backend {cost['backend_ms_per_request']} ms, database {database},"
        f" fleet {cost['fleet_ms_per_request']} ms",
        "Memory": f"backend {cost['backend_memory_mib']} MiB, fleet {cost['fleet_memory_mib']} MiB"
        f" ({cost['fleet_memory_kib_per_kiosk']} KiB a kiosk)",
        "Enrolled in": f"{cost['enrolment_s']} s",
        "Fleet behind its own clock": f"at most {cost['fleet_late_s']} s: part of every time above",
        "Backlog": f"at most {backlog['most']} events, {backlog['left']} left; drained after"
        f" {backlog['drained_after_s']} s (limit {backlog['limit_s']} s)",
        "Calls under way at once": f"at most {backlog['most_calls_under_way']}",
        "Events": f"{events['made']} made, {events['acknowledged']} acknowledged, {events['applied']} applied,"
        f" {events['gaps']} gaps, {events['wrong_kiosks']} kiosks wrong",
        "Answers lost on purpose": f"{requests['lost_answers']}; batches sent again {requests['resent']}",
        "Errors": _listed(requests["errors"]),
        "Failures while the backend was away": _listed(requests["failures_while_away"]),
    }
    ran = (
        f"{machine['engine']}, {machine['backend_processes']} backend and {machine['fleet_processes']} fleet processes"
        f" on the same {machine['cores']} cores, load {machine['load_before']} before and {machine['load_after']} after"
        f" the run, Python {machine['python']}, OpenSSL {machine['openssl']}. Seed {plan['seed']}."
    )
    lines = [
        f"# Fleet: {plan['scenario']}, {plan['kiosks']} kiosks, {'good' if numbers['good'] else 'NOT GOOD'}",
        "",
        _told(plan),
        "",
        ran,
        "",
        *(f"- {'met' if bar['met'] else '**MISSED**'}: {bar['said']}" for bar in numbers["bars"]),
        "",
        f"![What waited, what was answered and how fast, at what cost, and what failed, over time]({picture})",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
        "",
        *(f"- {violation}" for violation in events["violations"]),
    ]
    return "\n".join(lines)


def _told(plan: Mapping[str, Any]) -> str:
    if plan["scenario"] == Scenario.DAY:
        return (
            f"A working day of the January peak, 6 to 22 h, in {plan['minutes']:g} min: visits come"
            f" {plan['visits_factor']:g} times faster than in life, polls do not. In visits these kiosks load the"
            f" backend as {round(plan['kiosks'] * plan['visits_factor'])} would, in polls as themselves."
        )
    pace, speed = plan["pace"], "as fast as in life"
    if pace != 1:
        as_many = round(plan["kiosks"] * pace)
        speed = f"{pace:g} times faster than in life: these load the backend as {as_many} would in 5 min"
    return (
        f"The backend is killed after {plan['away_s'][0]} s and back after {plan['away_s'][1]} s, which is"
        f" {AWAY_S / 60:g} min to a kiosk; the fleet has"
        f" {plan['minutes']:g} min to return. Kiosks live {speed}."
    )


def _rate(numbers: Mapping[str, Any]) -> str:
    return f"{numbers['mean_per_s']}/s, peak {numbers['peak_per_s']}/s"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _per(seconds: float, requests: int) -> float:
    return round(seconds * 1000 / max(1, requests), 3)


def _served_s(result: Result) -> float:
    last_s = result.moments[-1].at_s if result.moments else 0.0
    away_s = result.back_s - (result.plan.killed_s or 0.0) if result.back_s else 0.0
    return max(0.001, last_s - away_s)
