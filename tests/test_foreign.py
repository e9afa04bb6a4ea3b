"""Objects that no JSON parser gives: each is refused by name, wherever it stands."""

import dataclasses
import decimal
import enum
import resource
import subprocess
import sys
import uuid
from array import array
from collections import OrderedDict, UserString
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from parties import KEYS
from spec_page import API_KEY

from rp_signing import CanonicalizationError, Keyring, SigningError, canonicalize, verify_event, wire
from rp_signing.exact import write_exactly

KEYRING = Keyring.of(KEYS)


@pytest.fixture(autouse=True, scope="module")
def little_memory() -> Iterator[None]:
    """A value that is walked without bound fails its test, and takes nothing else down with it."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def told(call: Any, *arguments: Any, **options: Any) -> str:
    """What a call says of objects that no report could show: a reason, or what else came out of it."""
    try:
        return f"gave {type(call(*arguments, **options))!r}"
    except SigningError as error:
        return f"{type(error).__name__} {error}"
    except Exception as error:
        return f"escaped: {type(error)!r}"


class Colour(enum.Enum):
    """An Enum of every kind of value."""

    RED = "red"
    ONE = 1
    LIST = (1, 2)


class Word(str, enum.Enum):  # noqa: UP042  # the mixin is what is tried
    """An Enum that is a str."""

    A = "a"


class Bits(enum.IntFlag):
    """An Enum that is an int."""

    A = 1


class Octets(bytes, enum.Enum):
    """An Enum that is bytes, and says that it is a str."""

    A = b"a"


Octets.A._value_ = "a"


class Thrower:
    """An object that raises at whatever it is asked."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError


class Nameless(type):
    """The type of classes that will not tell their name."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError


class Names(dict):  # type: ignore[type-arg]
    """A dict that gives other members than it holds."""

    def items(self) -> Any:
        """Raise."""
        raise RuntimeError


@dataclasses.dataclass
class Record:
    """A dataclass."""

    a: int = 1


def loop() -> list[Any]:
    """A list that holds itself."""
    itself: list[Any] = [1]
    itself.append(itself)
    return itself


FOREIGN = [
    lambda: Colour.RED, lambda: Colour.ONE, lambda: Colour.LIST, lambda: Word.A, lambda: Bits.A, lambda: Octets.A,
    Thrower, lambda: Nameless("X", (), {})(), lambda: Names(a=1), Record, lambda: uuid.UUID(int=7), loop,
    lambda: decimal.Decimal("NaN"), lambda: memoryview(b"a"), lambda: array("d", [1.0]), lambda: bytearray(b"a"),
    lambda: orjson.Fragment(b"1"), lambda: OrderedDict(a=1), lambda: UserString("a"), lambda: 2**64,
    lambda: float("nan"), lambda: "\ud800", lambda: {1: 1}, lambda: {Word.A: 1}, lambda: {Thrower(): 1}, lambda: 1j,
    lambda: type, lambda: NotImplemented, lambda: (x for x in ()), lambda: compile("1", "", "eval"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(FOREIGN)))
def test_any_object_is_written_or_refused(number: int) -> None:
    """Whatever object stands anywhere in a value, both paths refuse it alike, with a CanonicalizationError."""
    for wrap in (lambda x: x, lambda x: [x], lambda x: {"a": [1.0, x]}, lambda x: [[], ({"b": x},)]):
        fast, exact = (told(write, wrap(FOREIGN[number]())) for write in (canonicalize, write_exactly))
        assert fast == exact
        assert fast.startswith("CanonicalizationError ")


@pytest.mark.parametrize("number", range(len(FOREIGN)))
def test_any_object_in_an_event_is_refused(number: int) -> None:
    """Whatever object stands in an event, in its signature, or in its place, verify_event raises its own error."""
    foreign = FOREIGN[number]
    for wrap in (lambda x: x, lambda x: {"a": x}, lambda x: {wire.SIGNATURE_MEMBER: x}, lambda x: {"a": 1, "b": [x]}):
        said = told(verify_event, wrap(foreign()), keyring=KEYRING, api_key=API_KEY)
        assert said.startswith("VerificationError ")


def test_an_enum_that_answers_strangely_is_refused_by_name() -> None:
    """An Enum whose value raises, or that poses as bytes, is refused; it neither ends the process nor is written."""
    code = """if 1:
        import enum, resource
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        from rp_signing import CanonicalizationError, canonicalize
        class Raises(enum.Enum):
            A = 1
            @property
            def value(self): raise RuntimeError
        class Poses(bytes, enum.Enum):
            A = b"x"
        Poses.A._value_ = "a str"
        for value in (Raises.A, Poses.A):
            try:
                print(canonicalize([value]))
            except CanonicalizationError as error:
                print(error.reason, error.pointer)
    """
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root)
    assert (done.returncode, done.stdout.split()) == (0, ["value_not_json", "/0"] * 2)


def test_a_wide_list_that_holds_itself_is_refused() -> None:
    """A list that holds itself a thousand times is refused for its depth, at once and in little memory."""
    itself: list[Any] = []
    itself += [itself] * 1_001
    with pytest.raises(CanonicalizationError) as caught:
        canonicalize(itself)
    assert caught.value.reason == "payload_depth"
