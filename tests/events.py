"""What loggers write, read from the formats' definitions: TFRecord, Protocol Buffers, LevelDB."""

import struct
from pathlib import Path
from typing import NamedTuple


class Value(NamedTuple):
    """One entry of an event's summary: a number, a picture's size and bytes, or a text."""

    step: int
    tag: str
    content: float | tuple[int, int, bytes] | str


def crc32c(data: bytes) -> int:
    """Castagnoli's checksum, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    """A checksum as TFRecord has it."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def records(data: bytes):
    """The records of a file: length, its checksum, content, its checksum."""
    while data:
        length = data[:8]
        end = 12 + int.from_bytes(length, "little")
        content = data[12:end]
        assert data[8:12] == masked(length)
        assert data[end : end + 4] == masked(content)
        yield content
        data = data[end + 4 :]


def varint(data: bytes, at: int) -> tuple[int, int]:
    """An integer of seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def fields(data: bytes) -> dict[int, list]:
    """The fields of a message by their numbers; numbers of fixed size are left as bytes."""
    found: dict[int, list] = {}
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            size, at = {1: (8, at), 5: (4, at)}.get(key & 7) or varint(data, at)
            value, at = data[at : at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def content(value: dict[int, list]) -> float | tuple[int, int, bytes] | str:
    """What an entry of a summary holds: ``simple_value`` 2, ``image`` 4, ``tensor`` 8."""
    if 2 in value:
        return struct.unpack("<f", value[2][0])[0]
    if 4 in value:
        image = fields(value[4][0])
        return image[2][0], image[1][0], image[4][0]
    # Its metadata (9) names the plugin that shows it: plugin_data 1, plugin_name 1.
    assert fields(fields(value[9][0])[1][0])[1] == [b"text"]
    return fields(value[8][0])[8][0].decode()


def read_events(folder: Path) -> list[Value]:
    """All values in a folder's files, less those that a later start (``session_log``) voids."""
    found: list[Value] = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for number, record in enumerate(records(path.read_bytes())):
            event = fields(record)
            step = event.get(2, [0])[0]
            assert (event.get(3) == [b"brain.Event:2"]) == (number == 0)
            if 7 in event and fields(event[7][0])[1] == [1]:
                found = [value for value in found if value.step < step]
            for value in fields(event[5][0]).get(1, []) if 5 in event else []:
                entry = fields(value)
                found.append(Value(step, entry[1][0].decode(), content(entry)))
    return found


def log_records(data: bytes):
    """The records of a LevelDB log behind a head of 7 bytes, as Weights & Biases writes it."""
    at, whole = 7, b""
    while at + 7 <= len(data):
        if (rest := -at % 32768) < 7 and rest:
            at += rest
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        # 1 is a whole record, 4 the last part of one.
        if kind in (1, 4):
            yield whole
            whole = b""
