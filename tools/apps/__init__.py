"""Generates the automation apps from the catalogue: `apps/zapier`, `apps/make`, `apps/n8n`.

Each platform has a module whose `files()` returns the text of every generated file by its path from the
repository's root, and a `…_check` module that finds faults that the platform's own tools miss. `derived`
collects the files of all platforms, and `make derived` writes them. The other files of an app are
written by hand.
"""
