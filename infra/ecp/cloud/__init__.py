"""The local cloud and its state: `ecp up`, `down`, `status`."""
