"""``dataclass``, ``field`` and ``replace`` for programs whose start-up counts.

The standard library's decorator writes and compiles source for each class, 0.3 ms apiece, and
imports the compiler's helpers for it, 5 ms: more than all else that a container runtime's start
takes. Here the same methods go through the list of fields. They are slower per call, so
classes that are made by the thousand should not use this. To type checkers and to
``dataclasses.fields`` and ``dataclasses.replace`` there is no difference.

Supported: ``frozen``, ``slots``, defaults, factories, metadata, inheritance. Nothing else.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MISSING: "Any" = object()
"""Where a field has no default."""

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:

    class Field:
        """One field; ``name`` and ``type`` are known once its class is."""

        __slots__ = ("default", "default_factory", "metadata", "name", "type")

        def __init__(self, default=MISSING, default_factory=MISSING, metadata=None):
            self.default, self.default_factory = default, default_factory
            self.metadata = metadata or {}
            self.name, self.type = "", None

    def field(*, default=MISSING, default_factory=MISSING, metadata=None):
        """Describe a field beyond its default."""
        return Field(default, default_factory, metadata)

    def dataclass(*, frozen=False, slots=False):
        """Make a class of fields; see the module."""

        def decorate(cls):
            return _rebuilt(cls, frozen, slots)

        return decorate

    def replace(instance, /, **changes):
        """Return a copy of ``instance`` with other values in some fields."""
        own = getattr(instance, "__frozen_fields__", None)
        if own is None:
            import dataclasses

            return dataclasses.replace(instance, **changes)
        for one in own:
            if one.name not in changes:
                changes[one.name] = getattr(instance, one.name)
        return type(instance)(**changes)

    def _rebuilt(cls, frozen, slots):
        content = dict(cls.__dict__)
        content.pop("__dict__", None)
        content.pop("__weakref__", None)
        fields = {one.name: one for one in getattr(cls, "__frozen_fields__", ())}
        slot_names, defaults = [], {}
        for name, kind in content.get("__annotations__", {}).items():
            value = content.pop(name, MISSING)
            if value.__class__ is not Field:
                value = Field(value)
            value.name, value.type = name, kind
            if name not in fields:
                slot_names.append(name)
            if value.default is not MISSING:
                defaults[name] = value.default
            fields[name] = value
        if slots:
            content["__slots__"] = slot_names
        else:
            content |= defaults
        content |= _FROZEN if frozen else _OPEN
        content["__frozen_fields__"] = tuple(fields.values())
        content["__frozen_names__"] = names = tuple(fields)
        content.setdefault("__match_args__", names)
        return type(cls)(cls.__name__, cls.__bases__, content)

    def _values(self):
        return tuple([getattr(self, name) for name in self.__frozen_names__])

    def _first_init(self, *given, **named):
        """Make the class's own initializer, now that there is an instance at all."""
        kind = type(self)
        made = _initializer(kind.__frozen_fields__)
        if kind.__init__ is _first_init:
            kind.__init__ = made
        made(self, *given, **named)

    def _eq(self, other):
        if other.__class__ is not self.__class__:
            return NotImplemented
        return _values(self) == _values(other)

    def _repr(self):
        inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__frozen_names__)
        return f"{type(self).__qualname__}({inner})"

    def _hash(self):
        return hash(_values(self))

    def _setattr(self, name, value):
        raise _frozen_error(f"cannot assign to field {name!r}")

    def _delattr(self, name):
        raise _frozen_error(f"cannot delete field {name!r}")

    def _getstate(self):
        return list(_values(self))

    def _setstate(self, state):
        for name, value in zip(self.__frozen_names__, state, strict=True):
            object.__setattr__(self, name, value)

    def _initializer(fields):
        names = tuple([one.name for one in fields])
        plain = {one.name: one.default for one in fields if one.default is not MISSING}
        made = {
            one.name: one.default_factory for one in fields if one.default_factory is not MISSING
        }
        store = object.__setattr__

        def __init__(self, *given, **named):
            if len(given) > len(names):
                raise TypeError(f"{type(self).__name__} takes {len(names)} arguments")
            for name, value in zip(names, given, strict=False):
                if name in named:
                    raise TypeError(f"{type(self).__name__}: {name} is given twice")
                store(self, name, value)
            for name in names[len(given) :]:
                if name in named:
                    store(self, name, named.pop(name))
                elif name in plain:
                    store(self, name, plain[name])
                elif name in made:
                    store(self, name, made[name]())
                else:
                    raise TypeError(f"{type(self).__name__}: {name} is missing")
            if named:
                raise TypeError(f"{type(self).__name__} has no field {next(iter(named))!r}")

        return __init__

    def _frozen_error(message):
        from dataclasses import FrozenInstanceError

        return FrozenInstanceError(message)

    class _Parameters:
        """What the standard decorator asks of a base class."""

        __slots__ = ("frozen",)

        def __init__(self, frozen):
            self.frozen = frozen

    class _StandardFields:
        """The fields as the standard library describes them, made when somebody asks."""

        __slots__ = ("_made",)

        def __init__(self):
            self._made = {}

        def __get__(self, instance, owner):
            made = self._made.get(owner)
            if made is None:
                made = {one.name: _standard(one) for one in owner.__frozen_fields__}
                self._made[owner] = made
            return made

    _OPEN = {
        "__init__": _first_init,
        "__eq__": _eq,
        "__repr__": _repr,
        "__hash__": None,
        "__dataclass_fields__": _StandardFields(),
        "__dataclass_params__": _Parameters(False),
    }
    # The same functions for all classes: making eight closures for each takes longer.
    _FROZEN = _OPEN | {
        "__hash__": _hash,
        "__setattr__": _setattr,
        "__delattr__": _delattr,
        "__getstate__": _getstate,
        "__setstate__": _setstate,
        "__dataclass_params__": _Parameters(True),
    }

    def _standard(one):
        import dataclasses

        options = {"metadata": one.metadata}
        if one.default is not MISSING:
            options["default"] = one.default
        if one.default_factory is not MISSING:
            options["default_factory"] = one.default_factory
        made = dataclasses.field(**options)
        made.name, made.type, made._field_type = one.name, one.type, dataclasses._FIELD
        return made


def fields_of(kind: type) -> "tuple[Any, ...]":
    """Return a class's fields: name, type, default, default_factory, metadata."""
    own: tuple[Any, ...] | None = getattr(kind, "__frozen_fields__", None)
    if own is None:
        import dataclasses

        own = tuple(_own(one) for one in dataclasses.fields(kind))
    return own


def has_fields(kind: "Any") -> bool:
    """Tell whether ``kind`` is a class of fields, by this decorator or the standard one."""
    # The cheap question first: the other one imports the standard library's answer.
    own = getattr(kind, "__frozen_fields__", None) is not None
    return own or (isinstance(kind, type) and "__dataclass_fields__" in kind.__dict__)


def compile_initializer(kind: type) -> None:
    """Have ``kind`` made as fast as the standard decorator has it; costs what that costs."""
    names: dict[str, Any] = {"_store": object.__setattr__, "_missing": MISSING}
    parameters, body = [], []
    for number, one in enumerate(fields_of(kind)):
        if one.default is not MISSING:
            names[f"_d{number}"] = one.default
            parameters.append(f"{one.name}=_d{number}")
        elif one.default_factory is not MISSING:
            names[f"_f{number}"] = one.default_factory
            parameters.append(f"{one.name}=_missing")
            body.append(f"    if {one.name} is _missing: {one.name} = _f{number}()\n")
        else:
            parameters.append(one.name)
        body.append(f"    _store(self, {one.name!r}, {one.name})\n")
    source = f"def __init__({', '.join(['self', *parameters])}):\n{''.join(body) or '    pass'}"
    exec(source, names)
    kind.__init__ = names["__init__"]  # type: ignore[misc]


def _own(standard: "Any") -> "Any":
    import dataclasses

    default, factory = (
        MISSING if value is dataclasses.MISSING else value
        for value in (standard.default, standard.default_factory)
    )
    made: Any = field(default=default, default_factory=factory, metadata=standard.metadata)
    made.name, made.type = standard.name, standard.type
    return made


__all__ = [
    "MISSING", "compile_initializer", "dataclass", "field", "fields_of", "has_fields", "replace",
]  # fmt: skip
