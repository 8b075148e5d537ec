import math
import os

import pytest

from study.wording import (
    count,
    duration,
    interval,
    listing,
    percent,
    phrase,
    plain,
    points,
    printable,
    probability,
    shortened,
    shown,
    shown_path,
)


@pytest.mark.parametrize(
    ("value", "text"), [(1e-05, "0.00001"), (64.0, "64"), (64, "64"), (0.1, "0.1"), (0.0, "0")]
)
def test_a_value_reads_without_an_exponent(value: float, text: str):
    assert plain(value) == text


@pytest.mark.parametrize(
    ("parameter", "value", "text"),
    [
        ("filters", 64.0, "64 filters"),
        ("learning_rate", 0.00001, "learning rate 0.00001"),
        ("epochs", 1, "1 epoch"),
        ("epochs", 5, "5 epochs"),
        ("momentum", 0.9, "momentum 0.9"),
        ("dense_units", 2, "2 units"),
        ("dropout", 2, "dropout 2"),
        ("batch_size", 2, "batches of 2"),
        ("kernel_size", 2, "kernel 2 x 2"),
        ("averaging", 2, "averaging 2"),
    ],
)
def test_a_setting_reads_as_in_a_sentence(parameter: str, value: float, text: str):
    assert phrase(parameter, value) == text


def test_a_fraction_reads_in_percent_with_two_decimals():
    assert (percent(0.89496), percent(1), percent(0.5, sign=False)) == ("89.50%", "100.00%", "50.00")


def test_the_last_bit_of_a_mean_decides_no_digit():
    beside = [math.nextafter(0.85855, end) for end in (0, 1)]
    for tell in (percent, points):
        assert {tell(each) for each in beside} == {tell(0.85855)}


def test_an_interval_reads_in_percent_and_ends_where_an_accuracy_does():
    assert (interval(0.88, 0.9012), interval(-0.1, 1.2)) == ("88.00 to 90.12", "0.00 to 100.00")


def test_a_difference_reads_in_points_with_a_true_minus_sign_and_no_negative_zero():
    assert (points(0.0125), points(-0.005), points(-0.00001)) == ("+1.25", "−0.50", "+0.00")


def test_a_dash_stands_where_there_is_no_number():
    for missing in (None, math.nan):
        assert [percent(missing), points(missing)] == ["–", "–"]
        assert [interval(missing, missing), interval(0.5, missing), interval(missing, 0.5)] == ["–"] * 3
    assert probability(math.nan) == "–"


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 trials"), (1, "1 trial"), (2, "2 trials"), (60_000, "60,000 trials")]
)
def test_a_count_has_its_noun_in_the_right_number(number: int, text: str):
    assert count(number, "trial") == text
    assert count(2, "repeat of it", "repeats of it") == "2 repeats of it"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4.2, "4.2 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (3725, "1 h 02 min"),
    ],
)
def test_a_duration_reads_in_its_two_largest_units(seconds: float, text: str):
    assert duration(seconds) == text


def test_words_are_joined_as_in_a_sentence():
    assert listing(["16"]) == "16"
    assert listing(["16", "32"]) == "16 and 32"
    assert listing(["16", "32", "128"]) == "16, 32 and 128"


def test_a_chance_reads_with_three_decimals_and_a_small_one_as_below():
    chances = [probability(each) for each in (0.0499, 0.001, 0.00099)]
    assert chances == ["0.050", "0.001", "below 0.001"]


def test_a_long_value_is_cut_off_after_two_hundred_characters():
    assert shown("a" * 198) == "'" + "a" * 198 + "'"
    assert shown("a" * 199) == "'" + "a" * 198 + "…"
    assert shown(10**5000) == "a number too long to show"
    assert shortened("one\n  two", 7) == "one two"
    assert shortened("one two", 6) == "one t…"


def test_characters_that_steer_a_terminal_are_replaced_and_lines_stay():
    assert printable("a\x1b[31m\nb\t") == "a\\x1b[31m\nb\\t"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"photos/boot.png", "photos/boot.png"),
        ("blåbær 靴 👢.png".encode(), "blåbær 靴 👢.png"),
        (b"bo\xefte.png", r"bo\xefte.png"),
        (b"new\nline.png", r"new\nline.png"),
        (b"esc\x1b[31mred.png", r"esc\x1b[31mred.png"),
        ("abc\u202egnp.exe".encode(), r"abc\u202egnp.exe"),
        (b"=SUM(1+1).png", "./=SUM(1+1).png"),
        (b"-1.png", "./-1.png"),
        (b"a/=SUM(1+1).png", "a/=SUM(1+1).png"),
    ],
)
def test_a_path_is_shown_on_one_line_and_is_no_formula(name: bytes, shown: str):
    assert shown_path(os.fsdecode(name)) == shown
