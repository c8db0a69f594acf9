"""soften.py MODEL TENSOR FACTOR - multiplies one tensor of MODEL/model.safetensors, in f32: of the norm before the logits, all logits with it.
A model that has read its data often is surer of itself than it should be; which factor is right held-out text tells (Guo et al. 2017,
"On calibration of modern neural networks": temperature). Python alone, no package."""
import array
import json
import os
import struct
import sys


def main():
    path, name, factor = os.path.join(sys.argv[1], "model.safetensors"), sys.argv[2], float(sys.argv[3])
    data = bytearray(open(path, "rb").read())
    start = 8 + struct.unpack("<Q", data[:8])[0]
    tensor = json.loads(data[8:start]).get(name)
    if not tensor or tensor["dtype"] != "F32":
        sys.exit(f"soften.py: {path} has no tensor {name} in f32")
    first, end = (start + at for at in tensor["data_offsets"])
    data[first:end] = array.array("f", (factor * x for x in array.array("f", data[first:end]))).tobytes()
    open(path + ".part", "wb").write(data)
    os.replace(path + ".part", path)


main()
