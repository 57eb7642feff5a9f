"""`python -m patchbay_sdk` is `patchbay`."""

from patchbay_sdk.cli import main

main()
