"""Runs template.yaml on one machine, without Docker: `make run`.

The data services are a ministack process, and functions run in real Lambda runtime clients (awslambdaric).
This package emulates the HTTP API, the event source mappings and the schedules between them, from the
transformed template. Anything that it does not emulate is an error at startup.
"""
