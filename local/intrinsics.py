"""CloudFormation's intrinsic functions, conditions and rules, for a transformed template."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from local.settings import Problem

NO_VALUE: Any = object()


class Resolver:
    """Resolves values of one template.

    `attribute(logical_id, name)` returns the value of a resource's `GetAtt`, or of its `Ref` if the name is
    None.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        parameters: Mapping[str, Any],
        pseudo: Mapping[str, str],
        attribute: Callable[[str, str | None], str],
    ) -> None:
        self.template = template
        self.parameters = parameters
        self.pseudo = pseudo
        self.attribute = attribute
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self.condition,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::If": self._if,
            "Fn::Select": lambda value: self(value[1])[int(self(value[0]))],
            "Fn::Split": lambda value: str(self(value[1])).split(value[0]),
            "Fn::FindInMap": self._find_in_map,
            "Fn::Base64": lambda value: base64.b64encode(str(self(value)).encode()).decode(),
            "Fn::Equals": lambda value: str(self(value[0])) == str(self(value[1])),
            "Fn::Not": lambda value: not self(value[0]),
            "Fn::And": lambda value: all(self(item) for item in value),
            "Fn::Or": lambda value: any(self(item) for item in value),
            "Fn::Contains": lambda value: self(value[1]) in self(value[0]),
        }

    def __call__(self, value: Any) -> Any:
        """Resolve every intrinsic function in a value, and leave out `AWS::NoValue`."""
        if isinstance(value, list):
            return [item for item in map(self, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in self._functions and (name != "Condition" or isinstance(argument, str)):
                return self._functions[name](argument)
            if name.startswith("Fn::"):
                raise Problem(f"{name} is not emulated")
        resolved = {key: self(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def condition(self, name: str) -> bool:
        """Whether the condition of this name is true."""
        conditions = self.template.get("Conditions", {})
        if name not in conditions:
            raise Problem(f"the template has no condition {name}")
        return bool(self(conditions[name]))

    def check_rules(self) -> None:
        """Check the template's `Rules`, which CloudFormation asserts before a deployment."""
        for rule in self.template.get("Rules", {}).values():
            if self(rule.get("RuleCondition", True)):
                for assertion in rule["Assertions"]:
                    if not self(assertion["Assert"]):
                        raise Problem(assertion.get("AssertDescription", "a rule of the template failed"))

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        for known in (self.pseudo, self.parameters):
            if name in known:
                return known[name]
        return self.attribute(name, None)

    def _get_att(self, value: str | list[str]) -> str:
        logical_id, _, name = value.partition(".") if isinstance(value, str) else (value[0], "", value[1])
        return self.attribute(logical_id, name)

    def _sub(self, value: str | list[Any]) -> str:
        text, extra = (value, {}) if isinstance(value, str) else value

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in extra:
                return str(self(extra[name]))
            return str(self._get_att(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", fill, text)

    def _join(self, value: list[Any]) -> str:
        items = self(value[1])
        return str(value[0]).join(map(str, items if isinstance(items, list) else [items]))

    def _if(self, value: list[Any]) -> Any:
        return self(value[1] if self.condition(value[0]) else value[2])

    def _find_in_map(self, value: list[Any]) -> Any:
        name, first, second = (self(part) for part in value[:3])
        try:
            return self.template["Mappings"][name][first][second]
        except KeyError:
            raise Problem(f"the template's mapping {name} has no {first}.{second}") from None


def parameter_values(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, str]) -> dict[str, Any]:
    """The parameters' given or default values, checked as CloudFormation checks them."""
    values: dict[str, Any] = {}
    for name, rules in declared.items():
        value = given.get(name, rules.get("Default"))
        if value is None:
            raise Problem(
                f"parameter {name} has no value: set it in local/parameters.toml, or pass PARAMETERS={name}=…"
            )
        value = str(value)
        if rules["Type"].startswith("AWS::SSM::") and name not in given:
            raise Problem(f"parameter {name} is read from SSM, which is not emulated: pass a value")
        if rules["Type"] == "Number":
            try:
                number = float(value)
            except ValueError:
                raise Problem(f"parameter {name} is not a number: {value!r}") from None
            if not float(rules.get("MinValue", number)) <= number <= float(rules.get("MaxValue", number)):
                raise Problem(f"parameter {name} is out of range: {value}")
        if len(value) > rules.get("MaxLength", len(value)):
            raise Problem(
                f"parameter {name} is longer than {rules['MaxLength']} characters: it has {len(value)}"
            )
        if "AllowedValues" in rules and value not in map(str, rules["AllowedValues"]):
            raise Problem(f"parameter {name} does not allow {value!r}")
        if "AllowedPattern" in rules and not re.fullmatch(rules["AllowedPattern"], value):
            raise Problem(f"parameter {name} does not match {rules['AllowedPattern']}: {value!r}")
        is_list = rules["Type"] == "CommaDelimitedList" or rules["Type"].startswith("List<")
        values[name] = [item.strip() for item in value.split(",")] if is_list else value
    return values
