"""A detector for tests: finds painted joints, joint j of person p as a square of the colour (100 + p, 10 + 5 j, 200)."""

import json
import os
import struct
import sys

import numpy as np

JOINTS, PEOPLE = 17, 3


def main():
    answers = os.fdopen(os.dup(1), "w")
    while len(head := sys.stdin.buffer.read(8)) == 8:
        width, height = struct.unpack("<II", head)
        picture = np.frombuffer(sys.stdin.buffer.read(width * height * 3), np.uint8).reshape(height, width, 3)
        if (picture == 255).all():
            sys.exit("blinded by a white picture")
        people = []
        for person in range(PEOPLE):
            joints = []
            for joint in range(JOINTS):
                rows, columns = np.nonzero((picture == (100 + person, 10 + 5 * joint, 200)).all(-1))
                joints.append([columns.mean(), rows.mean(), 0.9] if len(rows) else [0, 0, 0])
            if any(confidence for *_, confidence in joints):
                people.append(joints)
        answers.write(json.dumps(people) + "\n")
        answers.flush()


main()
