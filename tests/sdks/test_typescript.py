"""The TypeScript SDK as a package: checked, built, installed into an empty folder, bundled, and run against
the local stack.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from local.settings import ROOT
from local.testing import RunningStack
from tests.e2e.test_readme import API_PORT
from tests.sdks.reference import code_samples

SOURCE = ROOT / "sdks" / "typescript"
PACKAGES = ROOT / ".tools" / "node" / "sdk" / "node_modules"
USERS = Path(__file__).with_name("typescript")
DEPENDENCIES = ("standardwebhooks", "@stablelib/base64", "fast-sha256")
README = (SOURCE / "README.md").read_text()
CODE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def run(folder: Path, *command: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a command with the tools of the SDK's package.json. It must succeed. Returns its output."""
    path = f"{PACKAGES / '.bin'}:{os.environ['PATH']}"
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PATCHBAY"))
    }
    completed = subprocess.run(
        command,
        cwd=folder,
        env={**inherited, "PATH": path, "NO_COLOR": "1", **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
    )
    assert completed.returncode == 0, f"{' '.join(command)}\n{completed.stdout}"
    return completed.stdout


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the SDK's folder with its tools, built."""
    root = tmp_path_factory.mktemp("repository")
    folder = root / "sdks" / "typescript"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "*.tgz"))
    (folder / "node_modules").symlink_to(PACKAGES)
    (root / "openapi.json").symlink_to(ROOT / "openapi.json")
    run(folder, "npm", "run", "build")
    return folder


@pytest.fixture(scope="session")
def tarball(package: Path) -> Path:
    """The package as published."""
    run(package, "npm", "pack", "--ignore-scripts")
    return next(package.glob("*.tgz"))


@pytest.fixture(scope="session")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder into which the package was installed. Its dependencies come from this machine."""
    folder = tmp_path_factory.mktemp("user")
    tarballs = []
    for name in DEPENDENCIES:
        packed = run(folder, "npm", "pack", "--ignore-scripts", str(PACKAGES / name))
        tarballs.append("./" + packed.split()[-1])
    run(folder, "npm", "install", "--offline", "--no-audit", "--no-fund", str(tarball), *tarballs)
    shutil.copytree(USERS, folder, dirs_exist_ok=True)
    return folder


def bundle(folder: Path, code: str, *options: str) -> str:
    """Return the minified browser bundle of a module with this code."""
    (folder / "entry.mjs").write_text(code)
    out = folder / "bundle.js"
    run(
        folder,
        "esbuild",
        "entry.mjs",
        "--bundle",
        "--minify",
        "--platform=browser",
        f"--outfile={out}",
        *options,
    )
    return out.read_text()


def kilobytes(text: str) -> float:
    """Return the size of a text after a server has compressed it."""
    return len(gzip.compress(text.encode(), 9)) / 1000


# ── the sources ──────────────────────────────────────────────────────────────────────────────────────


def test_types_are_generated_from_the_present_api(package: Path) -> None:
    run(package, "npm", "run", "generate")
    generated = (package / "src/generated/schema.ts").read_text()
    assert generated == (SOURCE / "src/generated/schema.ts").read_text(), (
        "stale: run `npm run generate` in sdks/typescript"
    )


def test_code_readme_and_samples_of_the_reference_are_typed(package: Path) -> None:
    run(package, "npm", "run", "lint")
    blocks = [block for language, block in CODE.findall(README) if language == "ts"]
    assert blocks
    for number, block in enumerate([*blocks, *code_samples("typescript")]):
        (package / "test" / f"shown-{number}.ts").write_text(block + "\nexport {};\n")
    run(package, "tsc", "-p", "test")  # the build checked only src


def test_unit_tests_pass(package: Path) -> None:
    run(package, "npm", "test")


def test_lock_names_no_registry() -> None:
    assert '"resolved"' not in (SOURCE / "package-lock.json").read_text()


# ── the package ──────────────────────────────────────────────────────────────────────────────────────


def test_package_is_what_every_tool_expects(package: Path, tarball: Path) -> None:
    run(package, "publint", "--strict", str(tarball))
    run(package, "attw", str(tarball))


def test_package_has_only_what_users_need(tarball: Path) -> None:
    files = run(tarball.parent, "tar", "-tzf", str(tarball)).split()
    assert {Path(file).suffix for file in files} == {".js", ".cjs", ".ts", ".cts", ".json", ".md", ""}
    assert tarball.stat().st_size < 140_000


def test_esm_and_commonjs_export_the_same(installed: Path) -> None:
    assert run(installed, "node", "use.mjs") == run(installed, "node", "use.cjs")


# Programs that run only on Node.js get Web APIs from @types/node, not from the browser library.
NODE = ("--lib", "es2022", "--types", "node", "--typeRoots", str(PACKAGES / "@types"))
BROWSER = ("--lib", "es2022,dom,dom.iterable")


@pytest.mark.parametrize(
    ("module", "resolution", "files", "library"),
    [
        ("node16", "node16", ("use.mts", "use.cts"), NODE),
        ("esnext", "bundler", ("use.ts",), BROWSER),
    ],
    ids=["node16", "bundler"],
)
def test_types_work_in_each_module_mode(
    installed: Path, module: str, resolution: str, files: tuple[str, ...], library: tuple[str, ...]
) -> None:
    for file in files:
        shutil.copy(installed / "types.ts", installed / file)
    options = ["--strict", "--noEmit", "--target", "es2022", *library]
    run(installed, "tsc", *options, "--module", module, "--moduleResolution", resolution, *files)


def test_bundle_runs_where_there_are_only_web_apis(installed: Path) -> None:
    text = bundle(installed, 'export * from "@patchbay/sdk";', "--format=iife", "--global-name=sdk")
    assert not re.search(r'"node:|require\(', text)
    assert "user-agent" in run(installed, "node", "edge.cjs", "bundle.js", "edge")


def test_browsers_may_send_the_headers_of_the_client(installed: Path) -> None:
    bundle(installed, 'export * from "@patchbay/sdk";', "--format=iife", "--global-name=sdk")
    sent = run(installed, "node", "edge.cjs", "bundle.js", "page").strip().split(",")
    allowed = re.search(r"allowHeaders: \[(.*?)\]", (ROOT / "template.yaml").read_text())
    assert allowed
    assert set(sent) <= {*allowed[1].split(", "), "content-type"}


def test_bundle_has_only_what_is_used(installed: Path) -> None:
    verification = bundle(installed, 'export { verify } from "@patchbay/sdk";', "--format=esm")
    client = bundle(installed, 'export { Patchbay } from "@patchbay/sdk";', "--format=esm")
    assert "/api/" not in verification
    assert "webhook-signature" not in client
    sizes = kilobytes(verification), kilobytes(client)
    assert sizes < (6, 4), "update the sizes in the README if that is meant"


# ── on the local stack ───────────────────────────────────────────────────────────────────────────────


def test_quick_start_works_as_written(installed: Path, running: RunningStack) -> None:
    match = re.search(r"<!-- quickstart:begin -->\n(.*?)<!-- quickstart:end -->", README, re.DOTALL)
    assert match
    ((_, code),) = CODE.findall(match[1])
    variables = next(block for language, block in CODE.findall(README) if "export" in block)
    (installed / "first-steps.mjs").write_text(code)
    # The first command block runs in the repository, and the program in its user's folder.
    variables = variables.replace(f"http://127.0.0.1:{API_PORT}", running.url)
    assert running.url in variables
    script = f"set -euo pipefail\ncd '{ROOT}'\n{variables}\ncd '{installed}'\n" + "node first-steps.mjs\n" * 2
    printed = run(installed, "bash", "-c", script, environment={"STATE_DIR": str(running.state)})
    assert printed.count("type: 'POST_PUBLISHED'") == 2, "it can be repeated"
    assert printed.count("postId: 'post_42'") == 2


def test_a_feed_goes_on_where_the_loop_was_left(installed: Path, running: RunningStack) -> None:
    environment = {"PATCHBAY_URL": running.url, "PATCHBAY_API_KEY": running.token("feed-of-typescript")}
    run(installed, "node", "feed.mjs", environment=environment)
