"""Where the command line finds the address and the credentials.

In this order: the options, the environment variables PATCHBAY_URL and PATCHBAY_API_KEY, the file that `patchbay login`
writes. The file also has the secret of `patchbay listen`, so that a receiver's configuration stays valid.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Profile:
    """`listen_secret` signs what `patchbay listen` forwards (`whsec_…`)."""

    url: str = ""
    api_key: str = ""
    listen_secret: str = ""

    def __repr__(self) -> str:
        return f"Profile(url={self.url!r})"


def path() -> Path:
    """The path of the file. PATCHBAY_CONFIG overrides it."""
    if configured := os.environ.get("PATCHBAY_CONFIG"):
        return Path(configured)
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "patchbay" / "credentials.json"


def load() -> Profile:
    """The stored profile; an empty one if there is none. Raises ValueError if the file is damaged."""
    try:
        content = json.loads(path().read_text())
    except FileNotFoundError:
        return Profile()
    except ValueError:
        raise ValueError(f"{path()} is not valid JSON. Remove it, and run `patchbay login`.") from None
    known = {name: str(content[name]) for name in Profile.__dataclass_fields__ if name in content}
    return Profile(**known)


def save(profile: Profile) -> None:
    """Store the profile, readable only by its owner. An interrupted write leaves the file unchanged."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as temporary:  # created with mode 0600
        json.dump(asdict(profile), temporary, indent=1)
    os.replace(temporary.name, file)


def listen_secret() -> str:
    """The signing secret of `patchbay listen` on this machine, created on first use."""
    profile = load()
    if not profile.listen_secret:
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        profile = replace(profile, listen_secret=secret)
        save(profile)
    return profile.listen_secret
