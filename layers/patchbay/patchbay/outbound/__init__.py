"""Requests to URLs that callers and providers give us.

`registration.check_registered_url` checks a URL when it is registered, `ssrf_guard` has its rules, and
`dialer.GuardedDialer` checks the addresses again when it connects. `exchange.Exchange` sends one HTTP request
on a `connection.Connection`, and `body.read_body` reads the response with bounded memory.
`transport.GuardedTransport` is an httpx transport of these parts, for token endpoints; `webhooks.sender` and
`oauth.api_requests` use them directly. The package has no table.
"""
