"""The feed of a webhook of kind `pull`: its events in order, for a receiver that fetches them itself.

- `service`: reading a feed, and the positions of its consumers
- `append`: the fan-out's side
- `models`: the API's shapes

Table: feeds (`store`).
"""
