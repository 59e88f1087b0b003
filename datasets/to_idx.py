"""Converts a data set of labelled images to the four IDX files that `m2g digits train --data DIR` reads.

    python3 to_idx.py mnist.npz DIR                      # Keras: x_train, y_train, x_test, y_test
    python3 to_idx.py mnist.pkl.gz DIR                   # Theano: (train, validation, test)
    python3 to_idx.py mnist_train.csv mnist_test.csv DIR # rows: label, then the pixels
    python3 to_idx.py train.csv DIR                      # the last seventh becomes the test images
    python3 to_idx.py emnist-letters.mat DIR             # EMNIST's Matlab files, turned upright

CSV needs Python alone, .npz and .pkl need numpy, .mat needs scipy. Unpickling runs code: convert only files
that you trust.
"""

import array
import csv
import gzip
import math
import os
import pickle
import struct
import sys


def scale(path, least, most, are_256ths):
    """The factor that takes pixels to 0 to 255, given the least and the most of all."""
    if not 0 <= least <= most <= 255:
        sys.exit(f"{path}: its pixels go from {least:g} to {most:g}, not from 0 to 255 or from 0 to 1")
    if most > 1:
        return 1
    # Theano's file was divided by 256.
    return 256 if most < 1 and are_256ths() else 255


def is_number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def read_csv(path):
    """Rows of numbers; a line of names at the top is skipped."""
    opener = gzip.open if path.endswith(".gz") else open
    images, labels = [], []
    with opener(path, "rt", newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            if not row or (number == 1 and not is_number(row[0])):
                continue
            if not all(map(is_number, row)) or float(row[0]) % 1:
                sys.exit(f"{path}: line {number} is not a row of numbers: a whole label, then the pixels")
            labels.append(int(float(row[0])))
            images.append(array.array("d", map(float, row[1:])))
    if not images:
        sys.exit(f"{path} has no rows")
    side = math.isqrt(len(images[0]))
    if side == 0 or side * side != len(images[0]):
        sys.exit(f"{path}: a row has {len(images[0])} pixels after its label, which is no square")
    if any(len(image) != side * side for image in images):
        sys.exit(f"{path}: its rows have different lengths")
    are_256ths = lambda: all(pixel * 256 % 1 == 0 for image in images for pixel in image)
    factor = scale(path, min(map(min, images)), max(map(max, images)), are_256ths)
    return (side, side), [bytes(round(pixel * factor) for pixel in image) for image in images], labels


def from_arrays(path, x, y):
    """Arrays `(N, rows, cols)` or `(N, pixels)`, of 0 to 255 or of 0 to 1, and labels `(N)`."""
    import numpy

    x, y = numpy.asarray(x), numpy.asarray(y)
    if x.size == 0 or x.dtype.kind not in "buif" or y.dtype.kind not in "buif":
        sys.exit(f"{path} holds no numbers where the images and labels should be")
    if y.ndim == 2 and y.shape[1] > 1:
        y = y.argmax(axis=1)  # one-hot
    y = y.reshape(-1)
    if len(x) != len(y) or (y % 1 != 0).any():
        sys.exit(f"{path}: {len(y)} labels for {len(x)} images, or labels that are no whole numbers")
    pixels = math.prod(x.shape[1:])
    side = math.isqrt(pixels)
    # A third axis of length 1 is the only channel.
    shape = x.shape[1:-1] if x.ndim == 4 and x.shape[-1] == 1 else x.shape[1:]
    if len(shape) == 1 and side * side == pixels:
        shape = (side, side)
    if len(shape) != 2:
        sys.exit(f"{path}: an image has the shape {shape}, not (rows, columns) or the pixels of a square")
    x = x * 1.0  # whole numbers and booleans too
    factor = scale(path, x.min(), x.max(), lambda: (x * 256 % 1 == 0).all())
    x = numpy.rint(x * factor).astype(numpy.uint8)
    return shape, [image.tobytes() for image in x], [int(label) for label in y]


def read_npz(path):
    import numpy

    arrays = numpy.load(path)
    names = [("x_train", "y_train", "x_test", "y_test"),
             ("train_images", "train_labels", "test_images", "test_labels")]
    for a, b, c, d in names:
        if all(name in arrays for name in (a, b, c, d)):
            return from_arrays(path, arrays[a], arrays[b]), from_arrays(path, arrays[c], arrays[d])
    sys.exit(f"{path} holds {', '.join(arrays)}, not x_train, y_train, x_test, y_test")


def read_pickle(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as file:
        parts = pickle.load(file, encoding="latin1")
    parts = [from_arrays(path, x, y) for x, y in parts]
    size = parts[0][0]
    train = (size, sum((p[1] for p in parts[:-1]), []), sum((p[2] for p in parts[:-1]), []))
    return train, parts[-1]


def read_mat(path):
    import scipy.io

    dataset = scipy.io.loadmat(path)["dataset"][0, 0]
    parts = []
    for name in ("train", "test"):
        part = dataset[name][0, 0]
        # Matlab stores columns first.
        images = part["images"].reshape(-1, 28, 28).transpose(0, 2, 1)
        parts.append(from_arrays(path, images, part["labels"].reshape(-1)))
    return parts


def split(part):
    """The last seventh, as MNIST's 10,000 of 70,000."""
    size, images, labels = part
    n = len(images) - len(images) // 7
    print(f"{len(images) - n} of {len(images)} images become the test images", file=sys.stderr)
    return (size, images[:n], labels[:n]), (size, images[n:], labels[n:])


def write(folder, name, part):
    (rows, cols), images, labels = part
    if not images or min(labels) < 0 or max(labels) > 255:
        sys.exit(f"the {name} part has no images, or labels that are not 0 to 255")
    with open(os.path.join(folder, f"{name}-images-idx3-ubyte"), "wb") as file:
        file.write(struct.pack(">4B3I", 0, 0, 8, 3, len(images), rows, cols) + b"".join(images))
    with open(os.path.join(folder, f"{name}-labels-idx1-ubyte"), "wb") as file:
        file.write(struct.pack(">4BI", 0, 0, 8, 1, len(labels)) + bytes(labels))
    print(f"{name}: {len(images)} images of {rows}x{cols} pixels, {len(set(labels))} classes")


def read(inputs):
    """The training and the test part of one file, or of two CSV files."""
    name = inputs[0].lower()
    if name.endswith((".csv", ".csv.gz")):
        parts = [read_csv(path) for path in inputs]
        return parts if len(parts) == 2 else split(parts[0])
    if len(inputs) == 2:
        sys.exit("only CSV comes in two files")
    if name.endswith(".npz"):
        return read_npz(inputs[0])
    if name.endswith((".pkl", ".pkl.gz")):
        return read_pickle(inputs[0])
    if name.endswith(".mat"):
        return read_mat(inputs[0])
    sys.exit(f"{inputs[0]} is no .npz, .csv, .pkl, .pkl.gz or .mat")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__.strip())
    *inputs, folder = sys.argv[1:]
    try:
        train, test = read(inputs)
    except ImportError as error:
        sys.exit(f"{error}: install it, for example with `pip install {error.name}`")
    except Exception as error:  # whatever a library says of a damaged file
        sys.exit(f"cannot convert {' and '.join(inputs)}: {error}")
    os.makedirs(folder, exist_ok=True)
    write(folder, "train", train)
    write(folder, "t10k", test)


if __name__ == "__main__":
    main()
