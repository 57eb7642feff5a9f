"""Flows: what Patchbay itself does when an event is published, step by step.

`service` keeps the definitions, `templates` makes some, and `dry_run` shows what a definition would do.
`runs` reads the executions, and `recent` the latest ones of each flow.
`worker` executes one step for each message of the flows queue, and `sweeper` queues what waits in the table.
"""
