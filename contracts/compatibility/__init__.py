"""The gate between what was released and what is about to be: what would break, where and why.

Nothing here knows a service; who is hit by a break is added by infra, which knows them all.
"""
