"""Prefect's server: a temporary one for a run, or one that stays, with schedule, worker and alarms."""
