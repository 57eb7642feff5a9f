"""DynamoDB access, shared by the stores. Only a feature's store reads and writes the feature's table.

- `dynamo`: rows, conditional writes, transactions, queries, and pages of a list (`page(PageQuery(…))`).
- `records`: dataclasses to rows and back, and the TTL of rows that are kept for the retention period.
- `due_index`: rows that a schedule processes when they are due.
- `merged`: one list from several partitions.
- `objects`: the bucket of exports.
- `paging`: `Page`, one page of a list with its cursors. It has no AWS code, so models can use it.
"""
