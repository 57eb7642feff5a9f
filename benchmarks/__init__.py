"""`make bench`: the cost of the hot paths on this machine.

Compare the figures only within one run, not between machines. No test asserts them. `__main__` lists the
benchmarks. `engine` and `stack` are what they run on, `loopback` has receivers, and `units` counts billed
units. `costs` computes docs/operate/costs.md from `prices.toml` and `measured.json`.
"""
