"""`make load`: how a stack behaves while users publish, read, and get deliveries.

`__main__` checks the options, creates webhooks and an API key, and removes them at the end. It runs
`journeys` with locust, in a separate environment. `report` draws the results. `options` and `report`
use only the standard library.
"""
