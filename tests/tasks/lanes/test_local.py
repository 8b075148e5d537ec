"""This machine's lanes, without starting one."""

import signal

from tasks.lanes.local import interrupts_blocked


def test_signals_that_reach_every_process_of_a_terminal_or_job_are_blocked_while_lanes_start():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with interrupts_blocked():
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ()) - before
    assert blocked == {signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2} - before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
