"""The one error a person can mend: bad input, said in one clear line."""


class InputError(ValueError):
    """Bad input: the message says what was wrong, the value, what is allowed and what to do.

    The command line prints the message without a traceback and exits with code 2.
    """
