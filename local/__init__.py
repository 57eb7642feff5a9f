"""Runs template.yaml on one machine, without Docker: `python -m local run`.

Data services are a ministack process; functions run in real Lambda runtime clients (awslambdaric);
the HTTP API, the event source mappings and the schedules between them are emulated here, from the
transformed template. What is not emulated is an error at start.
"""
