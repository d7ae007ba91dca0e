"""Brings the stacks into the state their templates describe, on one machine or on AWS."""
