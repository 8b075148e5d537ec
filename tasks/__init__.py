"""The work: data, model, training, lanes, figures, export and report."""
