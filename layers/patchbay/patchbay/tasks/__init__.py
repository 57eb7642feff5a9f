"""Tasks: work that a request starts and that a scheduled run does in slices, such as a replay.

`service` has the use cases of the API, and the steps of a task for the feature that does its work: `start`,
`due`, `claim`, `advance`, `wait`, `succeed` and `fail`. A task's feature keeps its place in `reached`, so
that a slice continues where the last one ended, even after a crash. Table: tasks (`store`).
"""
