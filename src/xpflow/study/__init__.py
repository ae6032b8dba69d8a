"""What a study is: its configuration, rows, stages, paths and settings."""
