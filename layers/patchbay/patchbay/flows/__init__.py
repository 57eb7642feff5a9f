"""Flows: the steps that Patchbay itself does when an event is published.

`service` manages the definitions, `templates` creates some from templates, and `dry_run` shows what a
definition would do. `runs` reads the executions, and `recent` the latest ones of each flow. `worker` executes
one step for each message of the flows queue, and `sweeper` queues the runs that wait in the table.
"""
