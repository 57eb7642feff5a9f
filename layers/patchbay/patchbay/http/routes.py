"""Every route of template.yaml. Made by `make routes`; not edited by hand."""

ROUTES = (
    ("GET", "/api/events"),
    ("POST", "/api/events"),
    ("GET", "/api/events/{id}"),
    ("GET", "/api/health"),
    ("GET", "/api/integrations/api-keys"),
    ("POST", "/api/integrations/api-keys"),
    ("POST", "/api/integrations/api-keys/verify"),
    ("DELETE", "/api/integrations/api-keys/{id}"),
    ("GET", "/api/integrations/api-keys/{id}"),
    ("PUT", "/api/integrations/api-keys/{id}"),
    ("POST", "/api/integrations/api-keys/{id}/rotate"),
    ("GET", "/api/integrations/webhooks"),
    ("POST", "/api/integrations/webhooks"),
    ("DELETE", "/api/integrations/webhooks/{id}"),
    ("GET", "/api/integrations/webhooks/{id}"),
    ("PUT", "/api/integrations/webhooks/{id}"),
    ("GET", "/api/integrations/webhooks/{id}/deliveries"),
    ("GET", "/api/integrations/webhooks/{id}/deliveries/{deliveryId}"),
    ("PUT", "/api/integrations/webhooks/{id}/status"),
)
