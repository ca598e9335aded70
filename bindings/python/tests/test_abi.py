"""Structs, prototypes and numbers of the package are those of include/jmeet.h."""
import ast
import ctypes
import itertools
import re
import unittest
from pathlib import Path

import jmeet
from jmeet import _abi, _errors, events

ROOT = Path(__file__).resolve().parents[3]
HEADER = re.sub(r"/\*.*?\*/", "", (ROOT / "include/jmeet.h").read_text(), flags=re.S)


def members(enum, prefix):
    body = re.search(rf"enum jmeet_{enum}\b.*?\{{(.*?)\n\}};", HEADER, re.S)[1]
    return {name[len(prefix):].removeprefix("ERR_"): int(value) for name, value in re.findall(r"(JMEET_\w+) = (\d+)", body)}


class Abi(unittest.TestCase):
    def test_enums_have_the_headers_names_and_numbers(self):
        for kind, enum, prefix in [
            (_errors.Status, "status", ""), (_errors.Stage, "stage", "STAGE_"), (events.State, "state", "STATE_"),
            (events.Role, "role", "ROLE_"), (events.Media, "media", "MEDIA_"), (events.VideoType, "video_type", "VIDEO_TYPE_"),
            (events.Codec, "codec", "CODEC_"), (events.MediaState, "media_state", "MEDIA_STATE_"),
            (events.MediaPath, "media_path", "MEDIA_PATH_"), (events.BridgeChannel, "bridge_channel", "BRIDGE_CHANNEL_"),
            (events.Streaming, "streaming", "STREAMING_"), (events.Suspended, "suspended", "SUSPENDED_"),
            (events.SourceRefusal, "source_refusal", "SOURCE_REFUSAL_"), (events.MuteKind, "mute_kind", "MUTE_"),
            (events.TimelineStage, "timeline_stage", "TIMELINE_"),
        ]:
            self.assertEqual({m.name: m.value for m in kind}, members(enum, f"JMEET_{prefix}"), enum)
        changed = dict(re.findall(r"#define JMEET_CHANGED_(\w+) (\d+)", HEADER))
        self.assertEqual({m.name: str(m.value) for m in events.Changed}, changed)

    def test_every_kind_of_event_is_converted(self):
        source = ast.parse((ROOT / "bindings/python/src/jmeet/_convert.py").read_text())
        convert = next(f for f in source.body if isinstance(f, ast.FunctionDef) and f.name == "convert")
        # What stands behind a return is not reached.
        reached = itertools.takewhile(lambda statement: not isinstance(statement, ast.Return), convert.body)
        tests = [s.test for s in reached if isinstance(s, ast.If)]
        known = {n.value for test in tests for n in ast.walk(test) if isinstance(n, ast.Constant) and isinstance(n.value, int)}
        # REQUEST_DONE and CLOSED are the meeting's own.
        self.assertEqual(known | {1, 22}, set(members("event_kind", "JMEET_EVENT_").values()) - {0})

    def test_structs_have_the_layout_that_the_header_has(self):
        layout, name = {}, None
        for line in (ROOT / "tests/abi/layout-64.txt").read_text().splitlines():
            if line.startswith(" "):
                field, offset, size = line.split()
                layout[name][1][field] = (int(offset), int(size))
            else:
                name, size = line.split()
                layout[name] = (int(size), {})
        kinds = [k for k in vars(_abi).values() if isinstance(k, type) and issubclass(k, _abi.Sized) and k is not _abi.Sized]
        self.assertGreater(len(kinds), 20)
        for kind in kinds:
            name = "jmeet" + re.sub(r"([A-Z])", r"_\1", kind.__name__).lower()
            fields = {f: (getattr(kind, f).offset, getattr(kind, f).size) for f, _ in kind._fields_}
            self.assertEqual((ctypes.sizeof(kind), fields), layout[name], name)

    def test_prototypes_take_as_many_arguments_as_the_header_says(self):
        for name, (_, arguments) in _abi.PROTOTYPES.items():
            given = re.search(rf"\b{name}\(([^;]*)\);", HEADER)[1].strip()
            self.assertEqual(len(arguments), 0 if given == "void" else given.count(",") + 1, name)

    def test_what_the_library_was_built_with_is_told(self):
        self.assertEqual(str(_abi.FEATURE_MEDIA), re.search(r"#define JMEET_FEATURE_MEDIA (\d+)", HEADER)[1])
        self.assertTrue(jmeet.has_media())

    def test_a_status_of_a_newer_library_is_no_failure(self):
        status = jmeet.Status(4711)
        self.assertEqual((status, status.name), (4711, "UNKNOWN"))
