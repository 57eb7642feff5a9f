"""A receiver with Flask: PATCHBAY_SECRET=whsec_… flask --app flask_receiver run --port 8000"""

import os

from flask import Flask, Response, request

from patchbay_sdk import VerificationError, Verifier

app = Flask(__name__)
verifier = Verifier(os.environ["PATCHBAY_SECRET"])


@app.post("/hook")
def hook() -> Response:
    try:
        event = verifier.verify(request.headers, request.get_data())
    except VerificationError as error:
        return Response(str(error), status=400)
    # Put long work into a queue here, and respond immediately. A repeated event has the same webhook-id.
    print(request.headers["webhook-id"], event.type, flush=True)
    return Response(status=204)
