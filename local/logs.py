"""Formats the output of functions, one line per record."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from datetime import datetime
from typing import Any, TextIO

_COLORS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}
# Powertools' own keys: elsewhere in the line, or the same in every record.
_KNOWN = {
    "level",
    "location",
    "message",
    "timestamp",
    "service",
    "sampling_rate",
    "cold_start",
    "function_name",
    "function_memory_size",
    "function_arn",
    "function_request_id",
    "xray_trace_id",
    "exception",
    "exception_name",
    "stack_trace",
}
_RUNTIME_LINE = re.compile(r"\[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\]\t\S+\t\S*\t(.*)", re.DOTALL)
_INSTALLED = re.compile(r"/lib/python3\.\d+/|^<")
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')


class Logs:
    """Writes log lines to a stream, in color on a terminal. Metrics and traces are shown if `verbose`."""

    def __init__(self, stream: TextIO = sys.stdout, verbose: bool | None = None) -> None:
        self._stream = stream
        self._color = stream.isatty() and "NO_COLOR" not in os.environ
        self._verbose = bool(os.environ.get("VERBOSE")) if verbose is None else verbose
        self._lock = threading.Lock()
        # Requests that the gateway is answering, with the record that the function logged of each.
        self._requests: dict[str, dict[str, Any] | None] = {}

    def output(self, function: str, line: str) -> None:
        """A line that a function printed: a JSON record, a metric, a traceback or plain text."""
        if not line.strip():
            return
        try:
            record = json.loads(line) if line.lstrip().startswith("{") else None
        except ValueError:
            record = None
        if isinstance(record, dict) and "_aws" in record:
            if self._verbose:
                self.line("METRIC", function, _metrics(record), dim=True)
        elif isinstance(record, dict) and "message" in record and "level" in record:
            request_id = record.get("request_id", record.get("correlation_id"))
            if "status" in record and "ms" in record and request_id in self._requests:
                self._requests[request_id] = record  # `access` writes one line for both
                return
            self.line(record["level"], function, _record(record, self._verbose))
        elif line.startswith("[ERROR]") and "\r" in line:  # awslambdaric's report of an exception
            head, *trace = line.removeprefix("[ERROR] ").split("\r")
            self.line("ERROR", function, head + _where("\n".join(trace)))
            if self._verbose:
                self.line("ERROR", function, " | ".join(part.strip() for part in trace), dim=True)
        elif match := _RUNTIME_LINE.fullmatch(line):
            self.line(match[1], function, match[2])
        else:
            self.line("PRINT", function, line)

    def note(self, function: str, text: str, *, ordinary: bool = False) -> None:
        """A message of the runner about a function: a warning, or an ordinary event, shown if `verbose`."""
        if not ordinary:
            self.line("WARNING", function, text)
        elif self._verbose:
            self.line("DEBUG", function, text)

    def begin(self, request_id: str) -> None:
        """A request that a function answers. Its record becomes part of the line that `access` writes."""
        self._requests[request_id] = None

    def access(
        self, request_id: str, method: str, path: str, status: int, milliseconds: float, function: str
    ) -> None:
        """A completed request."""
        record = self._requests.pop(request_id, None) or {}
        extra = {
            key: value
            for key, value in record.items()
            if key not in (*_KNOWN, "status", "ms", "correlation_id") and value is not None
        }
        if "correlation_id" in record:
            extra["correlation_id"] = record["correlation_id"]
        words = [
            str(status),
            method,
            path,
            f"{milliseconds:.0f} ms",
            *(f"{k}={_value(v)}" for k, v in extra.items()),
        ]
        self.line("HTTP", function or "-", " ".join(words))

    def say(self, text: str) -> None:
        """A message of the runner itself, unformatted."""
        self._write(text)

    def line(self, level: str, function: str, text: str, dim: bool = False) -> None:
        text = text.replace("\r", "\n").strip().replace("\n", "\\n")
        shown = f"{level:<7}"
        if self._color:
            shown = f"\x1b[{'2' if dim else _COLORS.get(level, '0')}m{shown}\x1b[0m"
            text = f"\x1b[2m{text}\x1b[0m" if dim else text
        self._write(f"{datetime.now():%H:%M:%S} {shown} {function} {text}")

    def _write(self, text: str) -> None:
        with self._lock:
            self._stream.write(text + "\n")
            self._stream.flush()


def _record(record: dict[str, Any], verbose: bool) -> str:
    """Format a Powertools record: the message, its extra keys, and an exception with its location."""
    parts = [_value(record["message"])]
    parts += [
        f"{key}={_value(value)}" for key, value in record.items() if key not in _KNOWN and value is not None
    ]
    if trace := record.get("exception"):
        last = str(trace).strip().splitlines()[-1]
        parts.append(f"{last}{_where(str(trace))}")
        if verbose:
            parts.append(_value(trace))
    return " ".join(parts)


def _where(trace: str) -> str:
    """` at file:line in function` of the innermost frame outside installed packages."""
    frames = _FRAME.findall(trace) or re.findall(r'File "([^"]+)" Line (\d+)()', trace)
    if not frames:
        return ""
    own = [frame for frame in frames if not _INSTALLED.search(frame[0])]
    file, line, name = (own or frames)[-1]
    return f" at {_short(file)}:{line}" + (f" in {name}" if name else "")


def _short(file: str) -> str:
    relative = os.path.relpath(file)
    return file if relative.startswith("..") else relative


def _metrics(record: dict[str, Any]) -> str:
    names = [
        metric["Name"]
        for directive in record["_aws"].get("CloudWatchMetrics", [])
        for metric in directive.get("Metrics", [])
    ]
    return " ".join(f"{name}={_value(record.get(name))}" for name in names)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
