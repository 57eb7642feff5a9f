from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId
from patchbay.webhooks import service
from patchbay.webhooks.models import RotateSecret, WebhookWithSecret


@endpoint(scope="webhooks:write", idempotent=True, optional_body=True)
def handler(request: Request, id: WebhookId, body: RotateSecret) -> WebhookWithSecret:
    """Rotate the signing secret of a webhook. Only this response contains the new secret. Old secrets keep
    signing for `overlapSeconds`.
    """
    return service.rotate_secret(request.principal, id, body, request.if_match, request.once)
