"""Tasks 2, 3 and 4 of MBPP (CC-BY-4.0): the worked examples of every 3-shot protocol.

Source: google-research-datasets/mbpp, byte for byte, white space at line ends and CR LF included: protocols
differ in what they do with it.
"""

from __future__ import annotations

from typing import NamedTuple


class Shot(NamedTuple):
    """A worked example."""

    text: str
    code: str
    tests: tuple[str, str, str]


SIMILAR_ELEMENTS = Shot(
    text="Write a function to find the similar elements from the given two tuple lists.",
    code="def similar_elements(test_tup1, test_tup2):\r\n"
    "  res = tuple(set(test_tup1) & set(test_tup2))\r\n"
    "  return (res) ",
    tests=(
        "assert similar_elements((3, 4, 5, 6),(5, 7, 4, 10)) == (4, 5)",
        "assert similar_elements((1, 2, 3, 4),(5, 4, 3, 7)) == (3, 4)",
        "assert similar_elements((11, 12, 14, 13),(17, 15, 14, 13)) == (13, 14)",
    ),
)
IS_NOT_PRIME = Shot(
    text="Write a python function to identify non-prime numbers.",
    code="import math\r\n"
    "def is_not_prime(n):\r\n"
    "    result = False\r\n"
    "    for i in range(2,int(math.sqrt(n)) + 1):\r\n"
    "        if n % i == 0:\r\n"
    "            result = True\r\n"
    "    return result",
    tests=(
        "assert is_not_prime(2) == False",
        "assert is_not_prime(10) == True",
        "assert is_not_prime(35) == True",
    ),
)
HEAP_QUEUE_LARGEST = Shot(
    text="Write a function to find the largest integers from a given list of numbers using heap queue "
    "algorithm.",
    code="import heapq as hq\r\n"
    "def heap_queue_largest(nums,n):\r\n"
    "  largest_nums = hq.nlargest(n, nums)\r\n"
    "  return largest_nums",
    tests=(
        "assert heap_queue_largest( [25, 35, 22, 85, 14, 65, 75, 22, 58],3)==[85, 75, 65] ",
        "assert heap_queue_largest( [25, 35, 22, 85, 14, 65, 75, 22, 58],2)==[85, 75] ",
        "assert heap_queue_largest( [25, 35, 22, 85, 14, 65, 75, 22, 58],5)==[85, 75, 65, 58, 35]",
    ),
)
SHOTS = (SIMILAR_ELEMENTS, IS_NOT_PRIME, HEAP_QUEUE_LARGEST)
