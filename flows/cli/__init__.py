"""The command line `study`: one module a group of commands, each loaded when it is called."""
