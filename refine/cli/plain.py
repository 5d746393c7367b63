"""Records as plain data for JSON, and back: by the types of their fields, and nothing that these do not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from refine.text.span import Source, Span

Data = Any  # of JSON
T = TypeVar("T")


class Unfit(ValueError):
    """Data that are no such record, or a record that refers to a text which is not among those given."""


def encoded(record: object, sources: Mapping[str, Source]) -> Data:
    """A record as data; of places, where they are in which text. Raises `Unfit`."""
    match record:
        case Span(source, start, end):
            if sources.get(source.name) != source:
                raise Unfit
            return [source.name, start, end]
        case Enum():
            return record.value
        case tuple() | list():
            return [encoded(x, sources) for x in record]
        case _ if is_dataclass(record):
            return [encoded(getattr(record, field.name), sources) for field in fields(record)]
        case _:
            return record


def decoded(type_: type[T], data: Data, sources: Mapping[str, Source]) -> T:
    """The record of a type that data stand for. Raises `Unfit`."""
    found: T = _decoded(type_, data, sources)
    return found


def _decoded(type_: Any, data: Data, sources: Mapping[str, Source]) -> Any:
    origin, args = get_origin(type_), get_args(type_)
    if origin in (Union, UnionType):
        return _one_of(args, data, sources)
    if origin is tuple:
        if not isinstance(data, list):
            raise Unfit
        if args[1:] == (...,):
            return tuple(_decoded(args[0], x, sources) for x in data)
        if len(args) != len(data):
            raise Unfit
        return tuple(_decoded(t, x, sources) for t, x in zip(args, data, strict=True))
    if type_ is Span:
        return _span(data, sources)
    if is_dataclass(type_):
        hints = _hints(type_)  # type: ignore[arg-type]
        if not isinstance(data, list) or len(data) != len(hints):
            raise Unfit
        values = [_decoded(t, x, sources) for t, x in zip(hints.values(), data, strict=True)]
        return type_(**dict(zip(hints, values, strict=True)))  # type: ignore[operator]
    if isinstance(type_, type) and issubclass(type_, Enum):
        return type_(data)  # an `Unfit` of its own: ValueError
    fits = data in args if origin is Literal else _plain(data, origin or type_)
    if not fits:
        raise Unfit
    return data


def _one_of(types: tuple[Any, ...], data: Data, sources: Mapping[str, Source]) -> Any:
    """The record, of the one type beside None."""
    if data is None and NoneType in types:
        return None
    for type_ in types:
        if type_ is not NoneType:
            try:
                return _decoded(type_, data, sources)
            except ValueError:
                continue
    raise Unfit


def _plain(data: Data, type_: Any) -> bool:
    if type_ is float:
        return isinstance(data, int | float)
    return isinstance(data, type_) and (type_ is not int or not isinstance(data, bool))


def _span(data: Data, sources: Mapping[str, Source]) -> Span:
    match data:
        case [str(name), int(start), int(end)] if name in sources:
            return Span(sources[name], start, end)
        case _:
            raise Unfit


@cache
def _hints(type_: Any) -> dict[str, Any]:
    hints = get_type_hints(type_)
    return {field.name: hints[field.name] for field in fields(type_)}
