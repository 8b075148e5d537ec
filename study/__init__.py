"""What is asked and what is concluded: the leaf floor, free of Prefect, TensorFlow, Keras and pyarrow."""
