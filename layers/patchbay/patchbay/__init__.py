"""The code that all functions share, deployed as a Lambda layer. `CONTRIBUTING.md` says where code goes.

Each package is a feature, except the shared ones: `http` (the edge of the API), `auth` (callers and scopes),
`storage` (DynamoDB) and `outbound` (requests to other servers). The modules here are shared too:

- AWS: `aws`, `aws_http` and `sigv4` (calls), `queues` (SQS), `vault` (encryption with KMS).
- The API: `api_model`, `field_errors`, `suggestions`, `updates`, `errors`, `idempotency`, `ids`.
- A process: `settings` (environment), `observability` (logs and metrics), `clock`.
"""
