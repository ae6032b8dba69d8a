"""What a terminal shows of a study: the checks before it, the jobs while they run, and what came out."""
