"""average.py A B SHARE OUT - the model A with each weight moved by SHARE of the way to B's: two runs of one beginning, averaged (Wortsman et
al. 2022, "Model soups"). Directories with a model.safetensors in f32; OUT becomes one, with A's other files. Python alone, no package."""
import array
import json
import os
import shutil
import struct
import sys


def read(path):
    data = open(os.path.join(path, "model.safetensors"), "rb").read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    return data[:start], array.array("f", data[start:])


def main():
    first, second, share, out = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
    (head, a), (other, b) = read(first), read(second)
    tensors = json.loads(head[8:])
    if head != other or any(t["dtype"] != "F32" for name, t in tensors.items() if name != "__metadata__"):
        sys.exit("average.py: the two are not one model's f32 weights")
    os.makedirs(out, exist_ok=True)
    for name in os.listdir(first):
        if name.endswith(".json"):
            shutil.copy(os.path.join(first, name), out)
    with open(os.path.join(out, "model.safetensors"), "wb") as file:
        file.write(head + array.array("f", ((1 - share) * x + share * y for x, y in zip(a, b))).tobytes())


main()
