"""A receiver on AWS Lambda, behind a function URL or an HTTP API. PATCHBAY_SECRET holds the signing secret."""

import base64
import os
from typing import Any

from patchbay_sdk import VerificationError, Verifier

verifier = Verifier(os.environ["PATCHBAY_SECRET"])


def handler(request: dict[str, Any], context: object) -> dict[str, Any]:
    # AWS encodes a body whose bytes are not plain text. The signature is over the original bytes.
    body = request.get("body") or ""
    raw = base64.b64decode(body) if request.get("isBase64Encoded") else body.encode()
    try:
        event = verifier.verify(request["headers"], raw)
    except VerificationError as error:
        return {"statusCode": 400, "body": str(error)}
    print(request["headers"]["webhook-id"], event.type)
    return {"statusCode": 204}
