"""A batch as a job on EMR Serverless."""
