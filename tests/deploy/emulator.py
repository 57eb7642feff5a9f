"""Starts ministack with stand-ins for the resource types that its CloudFormation lacks.

It runs in .tools/deploy, not in the tests' environment. A stand-in stores nothing: CodeDeploy's resources
matter only for an update of an alias, which the emulator makes immediately. The emulator refuses alarms with
metric math, so they become alarms on one metric.
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

alarm = _RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"]


def of_one_metric(handler):
    def call(*arguments):
        return handler(
            *(
                {
                    **{name: each[name] for name in each if name != "Metrics"},
                    "MetricName": "m",
                    "Namespace": "n",
                    "Statistic": "Sum",
                    "Period": 60,
                }
                if isinstance(each, dict) and "Metrics" in each
                else each
                for each in arguments
            )
        )

    return call


for operation in ("create", "update"):
    alarm[operation] = of_one_metric(alarm[operation])

if __name__ == "__main__":
    main()
