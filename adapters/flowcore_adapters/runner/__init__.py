"""Driving runs: ask what is pending, do it, report; threads live here and nowhere else."""
