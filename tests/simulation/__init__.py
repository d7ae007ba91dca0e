"""A simulated pipeline: the real rules under one clock, one network and one seed's bad luck."""
