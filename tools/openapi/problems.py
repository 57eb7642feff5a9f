"""The problems that a function can raise, found in its source code and in that of the functions it calls.

Names are resolved in the running modules, and values by their annotations. So a call is followed if it is
made through a module, a class, or a variable whose type is annotated or is that of an annotated function's
result; this code base has no others that raise problems. An `except` clause that does not raise again removes
what it catches. A test checks the result against every response of the tour of the system (tests/tour.py).
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from types import FunctionType, ModuleType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from patchbay.errors import Problem

Function = Callable[..., Any]
_ROOT = "patchbay."


def raised_by(functions: Iterable[Function]) -> set[type[Problem]]:
    """The problems that these functions can raise, directly or in what they call."""
    found: set[type[Problem]] = set()
    for function in functions:
        found |= _closure(_plain(function))
    return found


class _Instance(NamedTuple):
    """A value of which only the type is known."""

    kind: type


class _Step(NamedTuple):
    """A problem that a function constructs, or a function that it refers to. `caught` are the exceptions that
    do not leave the function.
    """

    problem: type[Problem] | None
    function: Function | None
    caught: tuple[type[BaseException], ...]


@cache
def _closure(function: Function) -> frozenset[type[Problem]]:
    """The problems that leave the function: a fixpoint over all functions that it reaches."""
    steps: dict[Function, tuple[_Step, ...]] = {}
    waiting = [function]
    while waiting:
        current = waiting.pop()
        if current not in steps:
            steps[current] = _steps(current)
            waiting += [step.function for step in steps[current] if step.function]
    raised: dict[Function, set[type[Problem]]] = {each: set() for each in steps}
    changed = True
    while changed:
        changed = False
        for current, its_steps in steps.items():
            for step in its_steps:
                problems = raised[step.function] if step.function else set()
                problems = problems | ({step.problem} if step.problem else set())
                new = {each for each in problems if not issubclass(each, step.caught)} - raised[current]
                raised[current] |= new
                changed = changed or bool(new)
    return frozenset(raised[function])


@cache
def _steps(function: Function) -> tuple[_Step, ...]:
    return tuple(_Reader(_plain(function)).steps())


def _plain(function: object) -> FunctionType:
    """The function below `@cache`, `@contextmanager` and other wrappers."""
    unwrapped = inspect.unwrap(getattr(function, "__func__", function))  # type: ignore[arg-type]
    assert isinstance(unwrapped, FunctionType), function
    return unwrapped


class _Reader:
    """Reads one function: which functions and problems it refers to."""

    def __init__(self, function: FunctionType) -> None:
        self._function = function
        self._caught: tuple[type[BaseException], ...] = ()
        self._variables: dict[str, object] = {}
        for name, kind in _hints(function).items():
            if name != "return":
                self._variables[name] = _value_of(kind)
        first = next(iter(inspect.signature(function).parameters), None)
        owner = _owner(function)
        if owner is not None and first in ("self", "cls"):
            self._variables[first] = owner if first == "cls" else _Instance(owner)

    def steps(self) -> Iterator[_Step]:
        tree = ast.parse(textwrap.dedent(inspect.getsource(self._function)))
        (definition,) = tree.body
        if isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from self._visit_all(definition.body)
        else:  # a lambda
            yield from self._visit(definition)

    def _visit_all(self, nodes: Iterable[ast.AST]) -> Iterator[_Step]:
        for node in nodes:
            yield from self._visit(node)

    def _visit(self, node: ast.AST) -> Iterator[_Step]:
        match node:
            case ast.Try():
                yield from self._visit_try(node)
                return
            case ast.ImportFrom(module=str(module)):
                loaded = importlib.import_module(module)
                for name in node.names:
                    self._variables[name.asname or name.name] = _member(loaded, name.name)
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.NamedExpr(target=ast.Name(id=name), value=value)
            ):
                self._variables[name] = self._resolve(value)
            case ast.With():
                for item in node.items:
                    if isinstance(item.optional_vars, ast.Name):
                        self._variables[item.optional_vars.id] = self._resolve(item.context_expr)
            case ast.Call(func=called):
                target = self._resolve(called)
                owner = getattr(target, "__self__", target)
                if isinstance(owner, type) and issubclass(owner, Problem):
                    yield _Step(owner, None, self._caught)
            case ast.Name() | ast.Attribute():
                target = self._resolve(node)
                if function := _ours(target, self._base(node)):
                    yield _Step(None, function, self._caught)
        yield from self._visit_all(ast.iter_child_nodes(node))

    def _base(self, node: ast.AST) -> object:
        return self._resolve(node.value) if isinstance(node, ast.Attribute) else None

    def _visit_try(self, node: ast.Try) -> Iterator[_Step]:
        outer = self._caught
        self._caught += tuple(self._swallowed(node.handlers))
        yield from self._visit_all(node.body)
        self._caught = outer
        for handler in node.handlers:
            yield from self._visit_all(handler.body)
        yield from self._visit_all([*node.orelse, *node.finalbody])

    def _swallowed(self, handlers: Iterable[ast.ExceptHandler]) -> Iterator[type[BaseException]]:
        """The exceptions that the clauses catch, up to the first clause that can raise them again."""
        for handler in handlers:
            if any(isinstance(each, ast.Raise) and _is_same(each, handler) for each in ast.walk(handler)):
                return
            kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            for kind in kinds:
                resolved = BaseException if kind is None else self._resolve(kind)
                if isinstance(resolved, type) and issubclass(resolved, BaseException):
                    yield resolved

    def _resolve(self, node: ast.expr | None) -> object:
        """The object that an expression is, or an `_Instance` of its type; None if unknown."""
        match node:
            case ast.Name(id=name):
                return self._lookup(name)
            case ast.Attribute(value=value, attr=name):
                return _member(self._resolve(value), name)
            case ast.Call(func=called):
                return _result(self._resolve(called))
            case ast.Await(value=value):
                return self._resolve(value)
        return None

    def _lookup(self, name: str) -> object:
        if name in self._variables:
            return self._variables[name]
        names: Mapping[str, object] = self._closure_variables | self._function.__globals__
        return names.get(name, getattr(builtins, name, None))

    @cached_property
    def _closure_variables(self) -> dict[str, object]:
        cells = zip(self._function.__code__.co_freevars, self._function.__closure__ or (), strict=True)
        return {name: cell.cell_contents for name, cell in cells}


def _is_same(node: ast.Raise, handler: ast.ExceptHandler) -> bool:
    return node.exc is None or (isinstance(node.exc, ast.Name) and node.exc.id == handler.name)


def _ours(target: object, base: object) -> FunctionType | None:
    """The function of this code base that a reference calls. Reading a property calls it."""
    if isinstance(target, property):
        target = target.fget
    elif isinstance(target, cached_property):
        target = target.func
    if isinstance(target, type) and not issubclass(target, Problem):
        target = vars(target).get("__init__")
    try:
        function = _plain(target)
    except (AssertionError, ValueError):
        return None
    module = function.__module__ or ""
    if not module.startswith(_ROOT) or function.__code__.co_filename.startswith("<"):
        return None
    return function


def _member(value: object, name: str) -> object:
    if isinstance(value, property):
        value = _value_of(_hints(value.fget).get("return")) if value.fget else None
    if isinstance(value, cached_property):
        value = _value_of(_hints(value.func).get("return"))
    if isinstance(value, ModuleType):
        try:
            return getattr(value, name)
        except AttributeError:
            try:
                return importlib.import_module(f"{value.__name__}.{name}")
            except ImportError:
                return None
    kind = value.kind if isinstance(value, _Instance) else value
    if not isinstance(kind, type):
        return None
    for base in kind.__mro__:
        if name in vars(base):
            member = vars(base)[name]
            if isinstance(member, FunctionType | classmethod | staticmethod | property | cached_property):
                return getattr(kind, name) if isinstance(member, classmethod) else member
            break
    if isinstance(value, _Instance):
        return _value_of(_hints(kind).get(name))
    return getattr(kind, name, None)


def _result(called: object) -> object:
    if isinstance(called, type):
        return _Instance(called)
    try:
        function = _plain(called)
    except (AssertionError, ValueError):
        return None
    kind = _hints(function).get("return")
    owner = getattr(called, "__self__", None)
    if isinstance(owner, type) and getattr(kind, "__name__", "") == "Self":
        return _Instance(owner)
    return _value_of(kind)


def _value_of(kind: object) -> object:
    """An instance of the type in an annotation, in `X | None`, or in a context manager's `Iterator[X]`."""
    if get_origin(kind) is Annotated:
        return _value_of(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        kinds = [each for each in get_args(kind) if each is not type(None)]
        return _value_of(kinds[0]) if len(kinds) == 1 else None
    origin = get_origin(kind)
    if isinstance(origin, type) and issubclass(origin, Iterator) and get_args(kind):
        return _value_of(get_args(kind)[0])
    return _Instance(kind) if isinstance(kind, type) else None


@cache
def _hints(annotated: object) -> Mapping[str, Any]:
    try:
        return get_type_hints(annotated)
    except (NameError, TypeError, AttributeError):
        return {}


def _owner(function: FunctionType) -> type | None:
    """The class that a method belongs to."""
    path, _, _ = function.__qualname__.rpartition(".")
    if not path or "<locals>" in path:
        return None
    owner: object = inspect.getmodule(function)
    for name in path.split("."):
        owner = getattr(owner, name, None)
    return owner if isinstance(owner, type) else None
