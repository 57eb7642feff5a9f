"""The users of a load test, as locust runs them: `.tools/load/bin/python -m benchmarks.load.journeys`.

Reads one JSON object from stdin (the fields of `Options`, and `token`, `publish_token`, `webhook_ids` …), so
that no token is in the arguments or the environment. Writes one JSON line a second to stdout, and the result
last. Half of the users publish at the given rate. The others read what users see on a page: the webhooks, the
deliveries of a webhook, an event, and the deliveries of that event.

How long a delivery takes is measured in one of two ways:
    arrival   at our own receiver: from just before the publish request to the arrival, by one clock
    record    in the API: from the delivery's `createdAt` to `deliveredAt`, by the stack's clocks, for the
              deliveries that readers happen to see
"""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from locust import FastHttpUser, constant_throughput, events, task
from locust.env import Environment
from locust.html import get_html_report

# locust replaces blocking calls when it is imported, so these come after it.
import gevent  # isort: skip
from gevent.event import Event  # isort: skip
from gevent.pywsgi import WSGIServer  # isort: skip

from benchmarks.load.options import EVENT_TYPE, percentile

_TIMEOUT_SECONDS = 30
# After the last event: how long to wait for its deliveries, and how long without any arrival.
_DRAIN_SECONDS = 60
_QUIET_SECONDS = 15
_MOST_ERRORS = 5
_TEXT = "x" * 400


@dataclass
class Measured:
    """The measurements so far, and since the last sample. Latencies are in milliseconds."""

    run: str
    webhooks: int
    published: int = 0
    requests: int = 0
    failures: int = 0
    arrived: set[str] = field(default_factory=set)
    duplicates: int = 0
    foreign: int = 0
    latencies: list[float] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)
    responses: list[float] = field(default_factory=list)
    recent_events: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=1000))
    errors: Counter[str] = field(default_factory=Counter)
    last_arrival: float = 0.0

    def arrive(self, id: str, ms: float) -> None:
        """Record a delivery, once."""
        if id in self.arrived:
            self.duplicates += 1
            return
        self.arrived.add(id)
        self.last_arrival = time.time()
        self.latencies.append(ms)
        self.recent.append(ms)

    def sample(self, at: float, users: int) -> dict[str, Any]:
        """Return the state for the progress line and the plots, and start the next second."""
        arrivals, responses = sorted(self.recent), sorted(self.responses)
        self.recent, self.responses = [], []
        return {
            "at": round(at, 1),
            "users": users,
            "published": self.published,
            "arrived": len(self.arrived),
            "requests": self.requests,
            "failures": self.failures,
            **{f"delivery_p{p}": percentile(arrivals, p) for p in (50, 95)},
            **{f"response_p{p}": percentile(responses, p) for p in (50, 95)},
        }


class _Receiver:
    """The receiver of our own deliveries."""

    def __init__(self, measured: Measured, listener: Any) -> None:
        self._measured = measured
        self._server = WSGIServer(listener, self._serve, log=None, error_log=None)

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop(timeout=1)

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        now, body = time.time(), environ["wsgi.input"].read()
        try:
            data = json.loads(body)["data"]
            if data["run"] == self._measured.run:
                self._measured.arrive(environ.get("HTTP_WEBHOOK_ID", ""), (now - data["at"]) * 1000)
            else:
                self._measured.foreign += 1
        except (ValueError, KeyError, TypeError):
            self._measured.foreign += 1
        start_response("200 OK", [("content-type", "text/plain"), ("content-length", "2")])
        return [b"ok"]


def users_of(settings: dict[str, Any], measured: Measured) -> list[type[FastHttpUser]]:
    """The classes of users, for these settings."""
    publishers, readers = settings["publishers"], settings["readers"]
    by_record = settings["receiver_port"] is None

    class Publisher(FastHttpUser):  # type: ignore[misc]  # locust is in another environment
        """Publishes events with an API key, as a platform does."""

        host = settings["url"]
        fixed_count = publishers
        connection_timeout = network_timeout = _TIMEOUT_SECONDS
        wait_time = constant_throughput(settings["rate"] / publishers)

        @task
        def publish(self) -> None:
            data = {
                "postId": "post_1",
                "network": "load",
                "run": measured.run,
                "text": _TEXT,
                "at": time.time(),
            }
            with self.client.post(
                "/api/events",
                json={"type": EVENT_TYPE, "data": data},
                headers={"authorization": f"Bearer {settings['publish_token']}"},
                name="POST /api/events",
                catch_response=True,
            ) as response:
                if response.status_code == 202:
                    measured.published += 1
                    measured.recent_events.append((time.time(), response.json()["id"]))
                    response.success()
                else:
                    response.failure(_problem(response))

    class Reader(FastHttpUser):  # type: ignore[misc]  # as above
        """Looks at webhooks and deliveries, as a person does on a page."""

        host = settings["url"]
        fixed_count = readers
        connection_timeout = network_timeout = _TIMEOUT_SECONDS
        wait_time = constant_throughput(1)

        @task(2)
        def webhooks(self) -> None:
            self._get("/api/integrations/webhooks?limit=20", "GET /api/integrations/webhooks")

        @task(2)
        def deliveries(self) -> None:
            id = random.choice(settings["webhook_ids"])
            name = "GET /api/integrations/webhooks/{id}/deliveries"
            self._get(f"/api/integrations/webhooks/{id}/deliveries?limit=20", name)

        @task(2)
        def event(self) -> None:
            if measured.recent_events:
                id = random.choice(measured.recent_events)[1]
                self._get(f"/api/events/{id}", "GET /api/events/{id}")

        @task(6 if by_record else 2)
        def deliveries_of_event(self) -> None:
            now = time.time()
            old = [id for at, id in measured.recent_events if now - at > 2]
            if old:
                id = random.choice(old)
                found = self._get(f"/api/deliveries?eventId={id}", "GET /api/deliveries?eventId={id}")
                if by_record and found:
                    _record(measured, found["items"])

        def _get(self, path: str, name: str) -> Any:
            headers = {"authorization": f"Bearer {settings['token']}"}
            with self.client.get(path, headers=headers, name=name, catch_response=True) as response:
                if response.status_code == 200:
                    response.success()
                    return response.json()
                response.failure(_problem(response))
                return None

    return [Publisher, Reader] if readers else [Publisher]


def _record(measured: Measured, deliveries: Iterable[dict[str, Any]]) -> None:
    for delivery in deliveries:
        if delivery["deliveredAt"] and delivery["id"] not in measured.arrived:
            took = _time(delivery["deliveredAt"]) - _time(delivery["createdAt"])
            measured.arrive(delivery["id"], took * 1000)


def _time(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


def _problem(response: Any) -> str:
    """The problem that the API reports, for the list of errors."""
    try:
        problem = response.json()
        return f"{response.status_code} {problem['code']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        error = getattr(response, "error", None)
        return f"{response.status_code} {error or ''}".strip()


def run(settings: dict[str, Any], listener: Any, emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Run the test; `emit` gets a sample every second. Returns the result."""
    measured = Measured(settings["run"], len(settings["webhook_ids"]))
    # Users finish their current request, so that every published event is counted.
    environment = Environment(
        events=events,
        user_classes=users_of(settings, measured),
        host=settings["url"],
        stop_timeout=_TIMEOUT_SECONDS,
    )
    runner = environment.create_local_runner()
    receiver = _Receiver(measured, listener) if listener is not None else None

    def on_request(request_type: str, name: str, response_time: float, exception: Any, **_: Any) -> None:
        measured.requests += 1
        measured.responses.append(response_time)
        if exception is not None:
            measured.failures += 1
            measured.errors[f"{name}: {exception}"[:200]] += 1

    events.request.add_listener(on_request)
    if receiver:
        receiver.start()
    started, seconds = time.time(), settings["minutes"] * 60
    runner.start(settings["publishers"] + settings["readers"], spawn_rate=max(settings["users"] / 3, 1))
    interrupts = _Interrupts()
    while (elapsed := time.time() - started) < seconds and not interrupts.count:
        interrupts.wait(min(1, seconds - elapsed))
        emit(measured.sample(time.time() - started, runner.user_count))
    published_until = time.time() - started
    runner.stop()
    if receiver:
        _drain(measured, started, emit, interrupts)
    with open(settings["html"], "w", encoding="utf-8") as file:
        file.write(get_html_report(environment))
    if receiver:
        receiver.stop()
    runner.quit()
    return _result(measured, environment, published_until, measures_all=receiver is not None)


class _Interrupts:
    """The first Ctrl-C ends the publishing, and the second one the wait for deliveries."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = Event()
        gevent.signal_handler(signal.SIGINT, self._interrupt)

    def wait(self, seconds: float) -> None:
        self._changed.wait(seconds)
        self._changed.clear()

    def _interrupt(self) -> None:
        self.count += 1
        self._changed.set()


def _drain(
    measured: Measured, started: float, emit: Callable[[dict[str, Any]], None], interrupts: _Interrupts
) -> None:
    """Wait for the deliveries of the last events."""
    stopped = time.time()
    while len(measured.arrived) < measured.published * measured.webhooks:
        now = time.time()
        if now - stopped > _DRAIN_SECONDS or now - max(measured.last_arrival, stopped) > _QUIET_SECONDS:
            return
        if interrupts.count > 1:
            return
        interrupts.wait(0.5)
        emit(measured.sample(time.time() - started, 0))


def _result(
    measured: Measured, environment: Environment, seconds: float, *, measures_all: bool
) -> dict[str, Any]:
    latencies = sorted(measured.latencies)
    routes = [
        {
            "name": entry.name,
            "requests": entry.num_requests,
            "failures": entry.num_failures,
            **{f"p{p}": entry.get_response_time_percentile(p / 100) for p in (50, 95, 99)},
            "max": entry.max_response_time,
        }
        for entry in sorted(environment.stats.entries.values(), key=lambda entry: entry.name)
    ]
    return {
        "seconds": seconds,
        "published": measured.published,
        "expected": measured.published * measured.webhooks if measures_all else None,
        "arrived": len(measured.arrived),
        "duplicates": measured.duplicates,
        "foreign": measured.foreign,
        "requests": measured.requests,
        "failures": measured.failures,
        "errors": measured.errors.most_common(_MOST_ERRORS),
        "delivery": {f"p{p}": percentile(latencies, p) for p in (50, 95, 99, 100)},
        "routes": routes,
    }


def main() -> int:
    import socket

    settings = json.loads(sys.stdin.readline())
    listener = socket.socket(fileno=settings["listener"]) if settings["listener"] is not None else None
    if listener is not None:
        # gevent's server needs gevent's kind of socket.
        from gevent import socket as gevent_socket

        listener = gevent_socket.socket(fileno=listener.detach())
        listener.setblocking(False)

    def emit(line: dict[str, Any]) -> None:
        print(json.dumps(line), flush=True)

    emit({"result": run(settings, listener, emit)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
