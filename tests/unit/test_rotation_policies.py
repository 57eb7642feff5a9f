"""Which secrets a rotation policy may name."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest

from patchbay.api_keys import policies
from patchbay.api_keys.models import KeyRotation, SecretTarget
from patchbay.api_keys.rotation import Policy, Target
from patchbay.auth.principal import Principal
from patchbay.errors import ValidationFailed
from patchbay.settings import Settings

ADA = Principal("acme", "user:ada")
KMS_KEY = "arn:aws:kms:eu-central-1:123456789012:key/7d1f"
ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:patchbay/prod/"


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    config = SimpleNamespace(kms_key_id=KMS_KEY, metrics_namespace="Patchbay/prod")
    prefix = Settings.secret_arn_prefix.fget(config)  # type: ignore[attr-defined]
    monkeypatch.setattr(policies, "settings", lambda: SimpleNamespace(secret_arn_prefix=prefix))


def resolve(arn: str) -> Policy | None:
    target = SecretTarget(type="secretsManager", secret_arn=arn)
    return policies.resolve(ADA, KeyRotation(every_days=1, deliver_to=target), None, "rotation")


@pytest.mark.parametrize("name", ["acme/publisher-AbCdEf", "acme/team/a.b_c@d+e=f-012345"])
def test_secret_of_the_workspace_is_a_target(name: str) -> None:
    pin = hashlib.sha256(f"{ARN}{name}".encode()).hexdigest()[:32]
    assert resolve(ARN + name) == Policy(1, 86_400, Target(ARN + name, pin))


@pytest.mark.parametrize(
    "arn",
    [
        ARN + "acme2/name-AbCdEf",
        ARN + "acm/name-AbCdEf",
        ARN + "ACME/name-AbCdEf",
        ARN + "acme/-AbCdEf",
        ARN + "acme/name",
        ARN + "acme/na*e-AbCdEf",
        ARN + "acme/name-AbCdEf\n",
        ARN + f"acme/{'n' * (513 - len('patchbay/prod/acme/'))}-AbCdEf",
        ARN.replace("/prod/", "/prod2/") + "acme/name-AbCdEf",
        ARN.replace("patchbay/prod/", "jwt-AbCdEf"),
        ARN.replace("123456789012", "123456789013") + "acme/name-AbCdEf",
        ARN.replace("eu-central-1", "eu-west-1") + "acme/name-AbCdEf",
        ARN.replace("secretsmanager", "ssm") + "acme/name-AbCdEf",
        "patchbay/prod/acme/name",
    ],
)
def test_secret_must_be_of_this_account_region_stack_and_workspace(arn: str) -> None:
    with pytest.raises(ValidationFailed, match=r"rotation\.deliverTo\.secretArn: must be the ARN"):
        resolve(arn)
