"""acrite in a container, for Testcontainers."""

from testcontainers.core.container import DockerContainer
from testcontainers.core.waiting_utils import wait_for_logs

from . import Acrite

PORT = 4443


class AcriteContainer(DockerContainer):
    """`with AcriteContainer("acrite:latest") as container: container.acrite().fault(...)`"""

    def __init__(self, image="acrite:latest", token="testcontainers", **options):
        super().__init__(image, **options)
        self.token = token
        self.with_exposed_ports(PORT).with_env("ACRITE_TOKEN", token)

    def start(self):
        super().start()
        wait_for_logs(self, "acrite listening on")
        return self

    def url(self):
        return f"http://{self.get_container_host_ip()}:{self.get_exposed_port(PORT)}"

    def acrite(self):
        """To drive it. Calls show the token, which ACRITE_TOKEN must hold in this process too."""
        return Acrite(self.url())
