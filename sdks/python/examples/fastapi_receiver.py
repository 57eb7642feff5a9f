"""A receiver with FastAPI: PATCHBAY_SECRET=whsec_… uvicorn fastapi_receiver:app --port 8000"""

import os

from fastapi import BackgroundTasks, FastAPI, Request, Response

from patchbay_sdk import VerificationError, Verifier
from patchbay_sdk.events import Event, PostPublishedEvent

app = FastAPI()
verifier = Verifier(os.environ["PATCHBAY_SECRET"])


@app.post("/hook")
async def hook(request: Request, tasks: BackgroundTasks) -> Response:
    try:
        event = verifier.verify(request.headers, await request.body())
    except VerificationError as error:
        return Response(str(error), status_code=400)
    # Respond immediately, and do the work afterward. A repeated event has the same webhook-id.
    tasks.add_task(handle, request.headers["webhook-id"], event)
    return Response(status_code=204)


def handle(webhook_id: str, event: Event) -> None:
    if isinstance(event, PostPublishedEvent):
        print(webhook_id, "published on", event.data.network, flush=True)
    else:
        print(webhook_id, event.type, flush=True)
