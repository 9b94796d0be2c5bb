"""Reshaping data by named steps: what a `transform` node does. Pure: plain values in, plain values out.

    run(value, steps, given)        each step takes what the one before it gave

    steps.py      the steps as pydantic models, which is also their documentation
    running.py    one after the other, within limits of time and rows, with errors that name step and row
    lists.py      what those over lists do; joins and groups by hashing, so that 10,000 rows take well below a second
    values.py     what those over one value do: JSON, text

An expression of a step sees `item` (the row), `index` (from 0), `given` (the node's own names) and, in steps over the
whole value, `value`. A wrong type is an error and never a guess.
"""

from orchestration.transforms.running import TransformError, run

__all__ = ["TransformError", "run"]
