"""Flows: what Patchbay itself does when an event is published, step by step.

`service` keeps the definitions, `runs` reads the executions, and `dry_run` shows what a definition would do.
`worker` executes one step for each message of the flows queue, and `sweeper` queues what waits in the table.
"""
