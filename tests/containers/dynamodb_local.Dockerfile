# DynamoDB Local, the real engine, for the suites: its jars fetched from Maven by the Spark that the
# transformer's image carries anyway. It listens on all interfaces, so its port is published on
# loopback only.
ARG TRANSFORMER
FROM ${TRANSFORMER}
USER 0
COPY fetch_dynamodb_local.py /build/
RUN python /build/fetch_dynamodb_local.py /opt/dynamodb
WORKDIR /opt/dynamodb
USER 1000
HEALTHCHECK NONE
CMD ["java", "-Xmx512m", "-Djava.library.path=/opt/dynamodb", \
     "-Dsqlite4java.library.path=/opt/dynamodb", "-cp", "/opt/dynamodb/*", \
     "com.amazonaws.services.dynamodbv2.local.main.ServerRunner", \
     "-inMemory", "-sharedDb", "-disableTelemetry", "-port", "8000"]
