"""`make bench`: what the hot paths cost on this machine. Figures to compare with each other within one run,
never with those of another machine, and never asserted by a test.
"""
