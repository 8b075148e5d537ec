"""Wiring: the DAG, the command line, artifacts and serving."""
