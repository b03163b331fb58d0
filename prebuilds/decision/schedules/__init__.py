"""Schedules as windows in time: cron fields, time zones, and what is wrong with either.

A preset's schedules and its zone come in; a `Timetable` goes out, or the problems. A timetable says which window is
open at an instant, and when that changes.
"""
