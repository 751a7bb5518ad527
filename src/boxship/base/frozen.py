"""``dataclass``, ``field`` and ``replace`` for programs whose start-up counts.

The standard library's decorator writes and compiles source for each class, 0.3 ms apiece, and
imports the compiler's helpers for it, 5 ms: more than all else that a container runtime's start
takes. Here the same methods are closures over the list of fields. They are slower per call, so
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
        inherited = {one.name: one for one in getattr(cls, "__frozen_fields__", ())}
        own = _own_fields(cls)
        fields = tuple((inherited | own).values())
        content = {k: v for k, v in cls.__dict__.items() if k not in ("__dict__", "__weakref__")}
        for name in own:
            content.pop(name, None)
        if slots:
            content["__slots__"] = tuple(name for name in own if name not in inherited)
        else:
            content |= {n: f.default for n, f in own.items() if f.default is not MISSING}
        content |= _methods(fields, frozen, cls.__qualname__)
        content |= {"__frozen_fields__": fields, "__dataclass_fields__": _StandardFields()}
        content["__dataclass_params__"] = _Parameters(frozen)
        content.setdefault("__match_args__", tuple(one.name for one in fields))
        return type(cls)(cls.__name__, cls.__bases__, content)

    def _own_fields(cls):
        found = {}
        for name, kind in cls.__dict__.get("__annotations__", {}).items():
            value = cls.__dict__.get(name, MISSING)
            one = value if isinstance(value, Field) else Field(value)
            one.name, one.type = name, kind
            found[name] = one
        return found

    def _methods(fields, frozen, qualified):
        names = tuple(one.name for one in fields)

        def values(self):
            return tuple([getattr(self, name) for name in names])

        def __eq__(self, other):
            if other.__class__ is not self.__class__:
                return NotImplemented
            return values(self) == values(other)

        def __repr__(self):
            inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
            return f"{qualified}({inner})"

        made = {"__init__": _initializer(fields), "__eq__": __eq__, "__repr__": __repr__}
        if not frozen:
            return made | {"__hash__": None}

        def __setattr__(self, name, value):
            raise _frozen_error(f"cannot assign to field {name!r}")

        def __delattr__(self, name):
            raise _frozen_error(f"cannot delete field {name!r}")

        def __setstate__(self, state):
            for name, value in zip(names, state, strict=True):
                object.__setattr__(self, name, value)

        return made | {
            "__hash__": lambda self: hash(values(self)),
            "__setattr__": __setattr__,
            "__delattr__": __delattr__,
            "__getstate__": lambda self: list(values(self)),
            "__setstate__": __setstate__,
        }

    def _initializer(fields):
        names = tuple(one.name for one in fields)
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
            self._made = None

        def __get__(self, instance, owner):
            if self._made is None:
                self._made = {one.name: _standard(one) for one in owner.__frozen_fields__}
            return self._made

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
