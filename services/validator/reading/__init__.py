"""From a file's bytes to accepted rows and named bad ones: for worker and `ecp validate`."""
