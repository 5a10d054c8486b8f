// acrite in a container, for Testcontainers.
import { GenericContainer, Wait } from 'testcontainers'
import { Acrite } from './index.js'

const PORT = 4443

export class AcriteContainer extends GenericContainer {
  constructor (image = 'acrite:latest', token = 'testcontainers') {
    super(image)
    this.token = token
    this.withExposedPorts(PORT).withEnvironment({ ACRITE_TOKEN: token })
      .withWaitStrategy(Wait.forLogMessage('acrite listening on'))
  }

  // The started container, and the instance in it.
  async startAcrite () {
    const container = await this.start()
    const acrite = new Acrite(`http://${container.getHost()}:${container.getMappedPort(PORT)}`, undefined, this.token)
    return { container, acrite }
  }
}
