"""Artifact stores: where the bytes of artifacts are kept."""
