"""Makes the automation apps of the catalogue: `apps/zapier`, `apps/make`, `apps/n8n`.

One module each, with `files()`: every file that it makes, by its path from the repository's root. Files
beside them are written by hand.
"""
