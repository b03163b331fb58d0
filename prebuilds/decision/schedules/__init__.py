"""Schedules as windows in time: cron fields, time zones, and what is wrong with either.

A preset's schedules and its zone enter; a `Timetable` leaves, or the problems. It says what is open at an instant, and
when that changes.
"""
