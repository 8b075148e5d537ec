"""What repeated readings bear: spread, tests, power, trends, agreement and convergence."""
