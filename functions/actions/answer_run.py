from patchbay.automations import runs
from patchbay.automations.models import AnswerRun, Run
from patchbay.http import Request, endpoint
from patchbay.ids import RunId


@endpoint(scope="actions:handle")
def handler(request: Request, id: RunId, body: AnswerRun) -> Run:
    """Complete a run of any workspace with the platform's result."""
    return runs.answer(id, body, request.if_match)
