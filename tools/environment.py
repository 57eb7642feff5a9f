"""Installs the Makefile's virtual environments: `python3 tools/environment.py [--same-python] NAME...`

An environment holds exactly the packages of its lock file. It is installed once, and again when the lock
changes. The last step writes a stamp, so an interrupted installation is repeated. Concurrent `make` runs wait
for each other. This file runs on the machine's own Python, so it uses only the standard library, and syntax
that old Pythons parse, so that it can report that the Python is too old.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST = (3, 11)
# name: (folder, lock file, seconds that it takes, description)
ENVIRONMENTS = {
    "dev": (".venv", "requirements/dev.txt", 40, "the library's dependencies and the development tools"),
    "ministack": (".tools/ministack", "requirements/ministack.txt", 10, "the local data services"),
    "sam": (".tools/sam", "requirements/sam.txt", 40, "the SAM CLI"),
    "schemathesis": (".tools/schemathesis", "requirements/schemathesis.txt", 10, "the generator of requests"),
    "load": (".tools/load", "requirements/load.txt", 20, "the load generator"),
    "console": (".tools/console", "requirements/console.txt", 15, "the driver of the browser"),
    "docs": (".tools/docs", "requirements/docs.txt", 20, "the generator of the documentation's site"),
    "deploy": (".tools/deploy", "requirements/deploy.txt", 15, "the emulator that stacks are deployed into"),
    "lock": (".tools/lock", "requirements/lock.txt", 5, "the tool that writes lock files"),
}


def say(message):
    # Not on standard output, where `make token` writes only the token.
    sys.stderr.write("patchbay: {}\n".format(message))
    sys.stderr.flush()


def main(arguments):
    same_python = "--same-python" in arguments
    os.chdir(ROOT)
    os.makedirs(".tools", exist_ok=True)
    for name in arguments:
        if name == "--same-python":
            continue
        folder, lock, seconds, description = ENVIRONMENTS[name]
        if complete(folder, lock, same_python):
            continue
        with open(".tools/.lock", "w") as guard:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say("another make is installing; waiting for it")
                fcntl.flock(guard, fcntl.LOCK_EX)
            if not complete(folder, lock, same_python):
                refuse_unusable_python()
                say("installing {} into {} (once, about {} s)".format(description, folder, seconds))
                install(folder, lock)


def complete(folder, lock, same_python):
    """Whether the environment was installed completely, from this lock, and its Python still exists.

    An environment of another Python counts too, unless `same_python`.
    """
    try:
        with open(stamp_of(folder)) as file:
            lock_digest, version = file.read().split()
    except (OSError, ValueError):
        return False
    return (
        lock_digest == digest(lock)
        and (not same_python or version == python_version())
        and os.path.exists(os.path.join(folder, "bin", "python"))
    )


def refuse_unusable_python():
    wanted = "Patchbay needs Python {}.{} or later".format(*OLDEST)
    if sys.version_info < OLDEST:
        sys.exit(
            "patchbay: {}, but {} is {}. Name a newer one: make PYTHON=python3.13".format(
                wanted, sys.executable, python_version()
            )
        )
    try:
        import ensurepip  # noqa: F401  # missing on a Debian without python3-venv
        import venv  # noqa: F401
    except ImportError:
        sys.exit(
            "patchbay: {} with venv and pip, but {} lacks them. On Debian and Ubuntu: "
            "apt install python3-venv".format(wanted, sys.executable)
        )


def install(folder, lock):
    shutil.rmtree(folder, ignore_errors=True)
    python = os.path.join(folder, "bin", "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    run([sys.executable, "-m", "venv", folder])
    # The lock is complete: `--no-deps` keeps old versions of pip from resolving it again, and
    # `pip check` verifies it.
    run([*pip, "install", "--quiet", "--no-deps", "--require-hashes", "-r", lock])
    run([*pip, "check"])
    with open(stamp_of(folder), "w") as file:
        file.write("{} {}\n".format(digest(lock), python_version()))


def run(command):
    returncode, output = finish(command)
    if returncode:
        sys.stderr.write(output.decode())
        sys.exit("patchbay: {} failed; see above, then run make again".format(" ".join(command)))


def finish(command, **options):
    """Run a command. Returns its exit code and its output.

    Ctrl-C ends it without the traceback that it would print, because it has its own session.
    """
    interrupts = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    process = None
    try:
        # An interrupt waits until there is a process to end. The process itself does not inherit that.
        signal.pthread_sigmask(signal.SIG_BLOCK, interrupts)
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupts),
            **options,
        )
        signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupts)
        output = process.communicate()[0]
    except BaseException:
        if process is not None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupts)
        raise
    return process.returncode, output


def start(main, *arguments):
    """Call `main`. When the user or a signal ends it, say so in one line."""

    def stop(number, _):
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        main(*arguments)
    except KeyboardInterrupt:
        say("interrupted; run make again to continue")
        sys.exit(130)


def stamp_of(folder):
    return os.path.join(folder, ".complete")


def digest(lock):
    with open(lock, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def python_version():
    return "{}.{}".format(*sys.version_info[:2])


if __name__ == "__main__":
    start(main, sys.argv[1:])
