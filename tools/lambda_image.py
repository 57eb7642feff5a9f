"""Provides the image of functions in `sam local`: `.venv/bin/python -m tools.lambda_image [arm64] [x86_64]`.

AWS's own image is used where Docker has it or can pull it. Elsewhere, this program makes a stand-in with the
same name: Python 3.13 from Debian 13 with AWS's runtime client, at the paths of Lambda. It has no boto3,
which our functions have in a layer.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import debian, docker_engine, environment, python313

REGISTRY = "public.ecr.aws"
LOCK = Path(environment.ROOT, "requirements/lambda.txt")
# libstdc++ is for the runtime client. `sam local` builds on the image, with commands that need a shell and
# coreutils.
PACKAGES = ["python3.13", "libstdc++6", "base-files", "coreutils", "dash"]
LABEL = "patchbay.stand-in"
_SECONDS = 40
_REACH_SECONDS = 5

BOOTSTRAP = """\
#!/bin/sh
export AWS_EXECUTION_ENV=AWS_Lambda_python3.13
exec /usr/bin/python3.13 -m awslambdaric "$_HANDLER"
"""
# As in AWS's image; and Lambda's import path, which AWS's own bootstrap makes.
SETTINGS = {
    "LANG": "C.UTF-8",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
    "PYTHONPATH": "/var/task:/opt/python/lib/python3.13/site-packages:/opt/python:/var/runtime",
    "TZ": ":UTC",
}


def tag(architecture: str) -> str:
    """The name by which `sam local` finds the image."""
    return f"{REGISTRY}/lambda/python:3.13-{architecture}"


def provide(architecture: str) -> str:
    """Make sure that Docker has the image, and return what it is. Raises `debian.Unavailable`, and
    `docker_engine.Unavailable` if Docker does not run."""
    docker_engine.require()
    name = tag(architecture)
    if (found := _describe(name)) is None:
        if _reachable():
            environment.say(f"pulling {name} (once, 220 MB)")
            subprocess.run(["docker", "pull", name], stdout=sys.stderr)
        if (found := _describe(name)) is None:
            environment.say(f"{name} cannot be pulled; building a substitute (once, about {_SECONDS} s)")
            make(architecture)
            found = _describe(name) or "missing"
    return found


def _describe(name: str) -> str | None:
    command = ["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', name]
    inspected = subprocess.run(command, capture_output=True, text=True)
    if inspected.returncode:
        return None
    return "a stand-in from Debian 13" if inspected.stdout.strip() == "true" else "AWS's image"


def _reachable() -> bool:
    """Whether the registry answers within seconds. Docker's own attempt takes up to minutes."""
    try:
        urllib.request.urlopen(f"https://{REGISTRY}/v2/", timeout=_REACH_SECONDS)
    except urllib.error.HTTPError:  # it asks for a token
        return True
    except OSError:
        return False
    return True


def make(architecture: str) -> None:
    """Make the stand-in. Raises `debian.Unavailable`."""
    with _folder() as folder:
        root = folder / "root"
        debian.unpack(architecture, PACKAGES, root)
        if not (root / "usr/bin/sh").exists():
            (root / "usr/bin/sh").symlink_to("dash")
        runtime = root / "var/runtime"
        for path in (runtime, root / "var/task", root / "opt"):
            path.mkdir(parents=True, exist_ok=True)
        _install_client(architecture, runtime)
        bootstrap = runtime / "bootstrap"
        bootstrap.write_text(BOOTSTRAP)
        bootstrap.chmod(0o755)
        _compile(root, "usr/lib/python3.13", "var/runtime")
        for unneeded in ("usr/share/doc", "usr/share/man", "usr/share/locale"):
            shutil.rmtree(root / unneeded, ignore_errors=True)
        _load(architecture, root)


@contextmanager
def _folder() -> Iterator[Path]:
    parent = Path(environment.ROOT, ".tools")
    with tempfile.TemporaryDirectory(prefix="lambda-image-", dir=parent) as folder:
        yield Path(folder)


def _install_client(architecture: str, runtime: Path) -> None:
    machine = {"arm64": "aarch64", "x86_64": "x86_64"}[architecture]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    command += ["--target", str(runtime), "--require-hashes", "--no-deps", "--no-compile"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.13"]
    for baseline in ("manylinux_2_34", "manylinux_2_28", "manylinux2014"):
        command += ["--platform", f"{baseline}_{machine}"]
    subprocess.run([*command, "--requirement", str(LOCK)], check=True)


def _compile(root: Path, *folders: str) -> None:
    """Compile modules, as Debian does at installation. Otherwise, each container compiles its imports."""
    python313.main()
    if python := python313.find():
        command = [python, "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash"]
        command += ["-s", str(root), "-p", "/", *(str(root / folder) for folder in folders)]
        subprocess.run(command, env=os.environ | python313.VARIABLES, check=True)


def _load(architecture: str, root: Path) -> None:
    """Load the folder as an image. Docker's own commands would mark it with this machine's architecture."""
    layer = root.with_name("layer.tar")
    owner = ["--owner=0", "--group=0", "--numeric-owner"]
    subprocess.run(["tar", "--create", *owner, "--file", layer, "--directory", root, "."], check=True)
    with layer.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    configuration = {
        "architecture": debian.NAMES[architecture][0],
        "os": "linux",
        "config": {
            "Env": [f"{name}={value}" for name, value in SETTINGS.items()],
            "Entrypoint": ["/var/runtime/bootstrap"],
            "WorkingDir": "/var/task",
            "Labels": {LABEL: "true"},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "image.json", "RepoTags": [tag(architecture)], "Layers": ["layer.tar"]}]
    folder = root.parent
    (folder / "image.json").write_text(json.dumps(configuration))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    files = ["manifest.json", "image.json", "layer.tar"]
    archive = folder / "image.tar"
    subprocess.run(["tar", "--create", "--file", archive, "--directory", folder, *files], check=True)
    subprocess.run(["docker", "load", "--quiet", "--input", archive], check=True, stdout=subprocess.DEVNULL)


def main(architectures: list[str]) -> None:
    for architecture in architectures or [debian.native() or "x86_64"]:
        try:
            environment.say(f"{tag(architecture)} is {provide(architecture)}")
        except docker_engine.Unavailable as reason:
            sys.exit(f"patchbay: `sam local` needs Docker: {reason}")
        except debian.Unavailable as reason:
            sys.exit(f"patchbay: no image for `sam local`: it cannot be pulled from {REGISTRY}, and {reason}")
        except subprocess.CalledProcessError as error:
            sys.exit(f"patchbay: no image for `sam local`: {error.cmd[0]} failed; see above")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
