"""Reads policies by name from standard input, as JSON, and prints parliament's findings, one per line.

It runs in .tools/deploy, so it uses nothing of this repository.
"""

import json
import sys

from parliament import analyze_policy_string  # type: ignore[import-not-found]

# SAM's own policies have no Version, which means 2008: the same for statements without variables.
IGNORED = {"NO_VERSION"}


def main() -> None:
    for name, document in json.load(sys.stdin).items():
        for finding in analyze_policy_string(json.dumps(document)).findings:
            if finding.issue not in IGNORED:
                print(name, finding.issue, finding.detail, finding.location.get("string", ""))


if __name__ == "__main__":
    main()
