"""Layouts: a base count and weekly windows, and the search for those that idle least and miss few enough past claims.

A hit table of a history enters, which is measured once; a `Layout` leaves. Nothing is replayed here.
"""
