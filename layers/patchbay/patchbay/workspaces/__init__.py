"""A workspace as a whole: its settings, its export, and its erasure.

`service` has the use cases of the API. The work of `erasure` and `export` is done in slices by a scheduled
run (`worker`), with the state in a task. To add a table, add it to a step of `erasure`; a test fails until
then.
"""
