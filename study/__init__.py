"""Define studies and draw conclusions: the leaf floor, free of Prefect, TensorFlow, Keras and pyarrow."""
