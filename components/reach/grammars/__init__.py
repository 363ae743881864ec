"""The policies of each project, in the form of `components.reach.model`. Pure.

A field that can't be read makes its rule unsure, or its policy unreadable. It is never left out.
"""
