"""A complete Patchbay on one machine, to explore: `make demo`.

world.py       the sample workspace: brands, people, posts, mentions
product.py     the product in this process, with a simulated clock and simulated receivers
history.py     some hours of history, written through the product's own code
bulk.py        lists with thousands of rows, written in batches
traffic.py     events that continue after the history, through the API
receivers.py   receivers of webhooks: good, flaky, slow, gone, odd
provider.py    an OAuth provider, with pages to approve and deny
platform.py    the platform: signs a user in, and embeds the console
run.py         starts the local stack and everything above
testing.py     the demo for tests
"""
