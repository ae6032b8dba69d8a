"""What every stage uses at work: models, threads, processes, answers."""
