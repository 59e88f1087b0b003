"""Converts a data set of labelled images to the four IDX files that `m2g digits train --data DIR` reads.

    python3 to_idx.py mnist.npz DIR                      # Keras: x_train, y_train, x_test, y_test
    python3 to_idx.py mnist.pkl.gz DIR                   # Theano: (train, validation, test)
    python3 to_idx.py mnist_train.csv mnist_test.csv DIR # rows: label, then the pixels
    python3 to_idx.py train.csv DIR                      # the last seventh becomes the test images
    python3 to_idx.py emnist-letters.mat DIR             # EMNIST's Matlab files, turned upright

CSV needs Python alone, .npz and .pkl need numpy, .mat needs scipy. Unpickling runs code: convert only files
that you trust.
"""

import csv
import gzip
import math
import os
import pickle
import struct
import sys


def read_csv(path):
    """Rows of numbers; a line of names at the top is skipped."""
    opener = gzip.open if path.endswith(".gz") else open
    images, labels = [], []
    with opener(path, "rt", newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            if not row or (number == 1 and not row[0].strip().lstrip("-").replace(".", "").isdigit()):
                continue
            try:
                values = [int(float(value)) for value in row]
            except ValueError:
                sys.exit(f"{path}: line {number} is not a row of numbers: a label, then the pixels")
            labels.append(values[0])
            images.append(values[1:])
    if not images:
        sys.exit(f"{path} has no rows")
    side = math.isqrt(len(images[0]))
    if side * side != len(images[0]):
        sys.exit(f"{path}: a row has {len(images[0])} pixels after its label, which is no square")
    if any(len(image) != side * side for image in images):
        sys.exit(f"{path}: its rows have different lengths")
    return side, [bytes(image) for image in images], labels


def from_arrays(x, y):
    """Arrays `(N, rows, cols)` or `(N, pixels)`, of 0 to 255 or of 0 to 1, and labels `(N)`."""
    import numpy

    x, y = numpy.asarray(x), numpy.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        y = y.argmax(axis=1)  # one-hot
    if x.dtype.kind == "f" and x.max() <= 1.0:
        # Theano's file was divided by 256.
        x = x * (256.0 if (x * 256.0 == numpy.rint(x * 256.0)).all() else 255.0)
    x = numpy.rint(x).astype(numpy.uint8).reshape(len(x), -1)
    side = math.isqrt(x.shape[1])
    return side, [row.tobytes() for row in x], [int(label) for label in y.reshape(-1)]


def read_npz(path):
    import numpy

    arrays = numpy.load(path)
    names = [("x_train", "y_train", "x_test", "y_test"),
             ("train_images", "train_labels", "test_images", "test_labels")]
    for a, b, c, d in names:
        if all(name in arrays for name in (a, b, c, d)):
            return from_arrays(arrays[a], arrays[b]), from_arrays(arrays[c], arrays[d])
    sys.exit(f"{path} holds {', '.join(arrays)}, not x_train, y_train, x_test, y_test")


def read_pickle(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as file:
        parts = pickle.load(file, encoding="latin1")
    parts = [from_arrays(x, y) for x, y in parts]
    side = parts[0][0]
    train = (side, sum((p[1] for p in parts[:-1]), []), sum((p[2] for p in parts[:-1]), []))
    return train, parts[-1]


def read_mat(path):
    import scipy.io

    dataset = scipy.io.loadmat(path)["dataset"][0, 0]
    parts = []
    for name in ("train", "test"):
        part = dataset[name][0, 0]
        # Matlab stores columns first.
        images = part["images"].reshape(-1, 28, 28).transpose(0, 2, 1)
        parts.append(from_arrays(images, part["labels"].reshape(-1)))
    return parts


def split(part):
    """The last seventh, as MNIST's 10,000 of 70,000."""
    side, images, labels = part
    n = len(images) - len(images) // 7
    print(f"{len(images) - n} of {len(images)} images become the test images", file=sys.stderr)
    return (side, images[:n], labels[:n]), (side, images[n:], labels[n:])


def write(folder, name, part):
    side, images, labels = part
    if not images or min(labels) < 0 or max(labels) > 255:
        sys.exit(f"the {name} part has no images, or labels that are not 0 to 255")
    with open(os.path.join(folder, f"{name}-images-idx3-ubyte"), "wb") as file:
        file.write(struct.pack(">4B3I", 0, 0, 8, 3, len(images), side, side) + b"".join(images))
    with open(os.path.join(folder, f"{name}-labels-idx1-ubyte"), "wb") as file:
        file.write(struct.pack(">4BI", 0, 0, 8, 1, len(labels)) + bytes(labels))
    print(f"{name}: {len(images)} images of {side}x{side} pixels, {len(set(labels))} classes")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__.strip())
    *inputs, folder = sys.argv[1:]
    name = inputs[0].lower()
    if name.endswith((".csv", ".csv.gz")):
        parts = [read_csv(path) for path in inputs]
        train, test = parts if len(parts) == 2 else split(parts[0])
    elif len(inputs) == 2:
        sys.exit("only CSV comes in two files")
    elif name.endswith(".npz"):
        train, test = read_npz(inputs[0])
    elif name.endswith((".pkl", ".pkl.gz")):
        train, test = read_pickle(inputs[0])
    elif name.endswith(".mat"):
        train, test = read_mat(inputs[0])
    else:
        sys.exit(f"{inputs[0]} is no .npz, .csv, .pkl, .pkl.gz or .mat")
    os.makedirs(folder, exist_ok=True)
    write(folder, "train", train)
    write(folder, "t10k", test)


if __name__ == "__main__":
    main()
