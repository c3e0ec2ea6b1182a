"""The cache on disk: verified files under their final names, what was first seen of them, and cleaning up."""
