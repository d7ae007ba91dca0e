"""Taking messages from SQS, answering the saga, and keeping what cannot be taken."""
