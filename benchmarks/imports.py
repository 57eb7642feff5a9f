"""CPU of importing each function, relative to `import boto3` with one DynamoDB client. Both use bytecode.

The last lines are the largest imports of the functions.
"""

from __future__ import annotations

import compileall
import os
import resource
import statistics
import subprocess
import sys

from local.settings import REQUIRED_PARAMETERS, ROOT
from local.template import Template

RUNS = 5
_BASE = "import boto3; boto3.client('dynamodb', region_name='us-east-1')"
_PARTS = {
    "AWS client": "from patchbay import aws",
    "ssl and certifi's authorities": "from patchbay.tls import client_context; client_context()",
    "pydantic (BaseModel)": "from pydantic import BaseModel",
    "Powertools Logger": "from aws_lambda_powertools import Logger",
    "h11": "import h11",
}


def run() -> None:
    compileall.compile_dir(ROOT / "layers/patchbay/patchbay", quiet=2)
    compileall.compile_dir(ROOT / "functions", quiet=2)
    functions = Template(
        ROOT / "template.yaml",
        REQUIRED_PARAMETERS,
    ).functions()
    statements = {f.handler.rpartition(".")[0]: "" for f in functions.values()}
    cases = {module: f"import {module}" for module in sorted(statements)} | _PARTS
    print(f"import CPU, median of {RUNS} runs, in turn with the base: {_BASE}")
    empty = statistics.median(_cpu("pass") for _ in range(RUNS))
    for name, code in cases.items():
        pairs = [(_cpu(code) - empty, _cpu(_BASE) - empty) for _ in range(RUNS)]
        own = statistics.median(pair[0] for pair in pairs)
        ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
        print(f"  {name:32} {own * 1000:6.0f}   {ratio:.2f} × base")


def _cpu(code: str) -> float:
    """User and system CPU seconds of a new interpreter that runs `code`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'layers/patchbay'}:{ROOT / 'functions'}",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
        },
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
