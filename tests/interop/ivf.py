"""Whether an independent decoder takes what one of ours received."""
import os, subprocess, tempfile
from pathlib import Path


def decodable(test, path):
    """ffmpeg decodes the IVF file `path` without a word, whatever pictures are missing in it. Its writer may still be at work on it."""
    data, end = Path(path).read_bytes(), 32
    while end + 12 <= len(data) and end + 12 + int.from_bytes(data[end:end + 4], "little") <= len(data):
        end += 12 + int.from_bytes(data[end:end + 4], "little")
    # A copy that ends at a whole frame, in a file of its own: into this one the writer would go on writing.
    with tempfile.NamedTemporaryFile(suffix=".ivf") as copy:
        copy.write(data[:end])
        copy.flush()
        ffmpeg = subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", copy.name, "-f", "framehash", os.devnull], capture_output=True, text=True, timeout=60)
        test.assertEqual((ffmpeg.returncode, ffmpeg.stderr), (0, ""))
