"""Commands for operators: they work on a deployed stack, and on the one of `make run` (`STACK=local`).

`stack.py` finds a stack's resources; each other module is one command of the Makefile.
"""
