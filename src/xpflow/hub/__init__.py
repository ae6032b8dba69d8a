"""What comes from the model hub: pinned revisions, one fetch that records file hashes, offline afterwards."""
