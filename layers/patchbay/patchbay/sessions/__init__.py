"""Sessions: short-lived credentials for a browser, made from a link.

A portal session (`portal`) opens the console with some of its creator's scopes. A connect session (`links`,
`patchbay.connect`) lets anyone with the link connect an account, and nothing else. Entry points: `portal`,
`guard.admit_portal` and `guard.admit_link`, which `http.credentials` calls on each request, and `caller`.
"""
