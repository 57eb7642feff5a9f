"""`make simulate`: how a stack behaves at loads too large for one machine, for docs/operate/scaling.md.

`simulation` is a discrete-event model of the path from a publish request to a delivery, with its `queues` and
`tenants`. `limits` computes from rates and measured counts how much of each limit a load uses. `scenarios`
has the runs, and `page` the tables. AWS's quotas are in quotas.toml, with their sources. Nothing here calls
AWS.
"""
