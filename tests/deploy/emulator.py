"""Starts ministack with stand-ins for the resource types that its CloudFormation lacks.

It runs in .tools/deploy, not in the tests' environment. A stand-in keeps nothing: CodeDeploy's resources
matter only to an update of an alias, which the emulator does at once.
"""

# mypy: ignore-errors

from ministack.app import main
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS


def create(logical_id, properties, stack_name):
    name = f"{stack_name}-{logical_id}"
    return name, {"Arn": "arn:aws:local:us-east-1:000000000000:" + name}


def delete(physical_id, properties):
    pass


for missing in ("AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup"):
    assert missing not in _RESOURCE_HANDLERS, missing
    _RESOURCE_HANDLERS[missing] = {"create": create, "delete": delete}

if __name__ == "__main__":
    main()
